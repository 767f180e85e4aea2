"""Random arguments of the Python SDK's functions, odd in every way.

An input is (function, arguments); the arguments bear the names of the SDK's own. How odd an input is, is drawn once for
each, so that there are plain ones, ones with a single odd field, and ones where everything is odd.
"""

import random
import struct
import uuid

FUNCTIONS = {
    "metric_to_line_data": 5,
    "send_delta_counter": 3,
    "histogram_to_line_data": 4,
    "tracing_span_to_line_data": 5,
    "span_log_to_line_data": 3,
    "event_to_line_data": 3,
    "event_to_json": 2,
}

WORDS = ["requests", "new-york.power.usage", "a", "sdk_1", "x,y", "GET", "CPU.Load", "dc1", "~sdk.up", "∆jobs", "Δjobs",
         "∆~jobs", "!M", "@Event", "#20", "{", "true", "localhost", "us-west", "C:\\dir", "温度", "é", "12", "a b"]

# What a writer or a reader may stumble over, alone and inside of other text.
PIECES = list("\"'\\\n\r\t =/~∆Δ*#@!{}[]<>,.-_:;%&+?^`|$aZ09é温😀\x00\x01\x04\x07\x08\x0b\x0c\x1b\x1c\x1d\x1e\x1f\x7f\x80\x85"
              "\xa0\u00ad\u0301\u061c\u1680\u180e\u2000\u200a\u200b\u200d\u2028\u2029\u202e\u202f\u205f\u2060\u3000\ufeff"
              "\ufffd\ufffe\uffff\ue000\U000e0001\U0010ffff") + [
    "\\\"", "\\\\", "\\n", "\r\n", "\" source=\"evil", "\n\"evil\" 1 source=\"e\"", "\" \"k\"=\"v", "traceId=", " 1 ",
    "\\u0041", "👩‍👩‍👧", "a", "bc", "def", "\"", "\\", "\n",
]

WHOLE = ["", " ", "\t\n", "\u2003", "\x1c\x1f", "\\", "\\\\", " \\ ", "\\ \\", "\"", "\"\"", "'", "\n", "\x04", "\x00", "~", "~~", "∆", "Δ",
         "∆~", "Δ~", "∆∆", "~∆", "∆ ", "/", "a/b", "/a", "-", "\u180e", "\u200b", "\ufeff", "None", "null", "none", "NaN"]

KEYS = ["k", "region", "http.method", "a b", "a-b", "a/b", "a\"b", "A-B", "~k", "-k", "_1", "application", "service", "error",
        "tag", "eventTag", "severity", "type", "details"]
ODD_KEYS = ["source", "host", "Source", "traceId", "spanId", "parent", "followsFrom", "_spanLogs", "1", "12", "1234567890123",
            "1.5", "１２", "~1", "timestamp", " source", "source ", "start", "duration",
            "_tag"]

# Where something changes: units, the receiver's integers, a double's own.
TIMES = [0, 1, 1493773500, 1493773500123, 1493773500123456, 1493773500123456789, 10**12 - 1, 10**12, 10**13 - 1, 10**13,
         10**15 - 1, 10**15, 10**16 - 1, 10**16, 10**18 - 1, 10**18, 2**31, 2**53 + 1, 2**63 - 1, 2**63, 2**64 - 1]
ODD_TIMES = [-1, -1493773500, 2**64, 10**25, 1493773500.75, 0.5, -0.5, 1.5e12]
DOUBLES = [0.0, -0.0, 1.0, -1.0, 42422.0, 0.1, 1e15, 1e16, 9999999999999998.0, 123456789012345680.0, 1e17, 1e21, 1e22, 1e-4, 1e-5,
           1.5e-7, 5e-324, 2.2250738585072014e-308, 1.7976931348623157e308, 1e100, -1e-100, 2.0**53, 2.0**63, 1 / 3, 1e23]
ODD_DOUBLES = [float("nan"), float("inf"), float("-inf"), 2**53 + 1, 10**17, 10**22, -7, 0, True, "5", "1e3"]


class Inputs:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.odd = 0.0

    def __iter__(self):
        names, weights = list(FUNCTIONS), list(FUNCTIONS.values())
        while True:
            self.odd = self.random.choice([0.0, 0.02, 0.02, 0.1, 0.1, 0.3, 0.8])
            function = self.random.choices(names, weights)[0]
            yield function, getattr(self, function)()

    # ---- the functions ----------------------------------------------------------------------------------------------

    def metric_to_line_data(self):
        return {"name": self.text(1023), "value": self.value(), "timestamp": self.optional_time(), **self.common()}

    def send_delta_counter(self):
        value = self.value() if self.is_odd() else self.random.choice([1, 2.5, abs(self.double()), abs(self.double())])
        return {"name": self.text(1023) or "", "value": value, **self.common()}

    def histogram_to_line_data(self):
        granularities = ["!M", "!H", "!D"]
        self.random.shuffle(granularities)
        granularities = set(granularities[:self.random.choice([1, 1, 2, 3])])
        if self.is_odd(0.2):
            granularities = self.random.choice([set(), None, {"!X"}, {"!M", "!S"}])
        centroids = [(self.mean(), self.count()) for _ in range(self.few(1))]
        if self.is_odd(0.2):
            centroids = self.random.choice([[], None, [(30.0, 1)] * 5000])
        return {"name": self.text(1023), "centroids": centroids, "histogram_granularities": granularities,
                "timestamp": self.optional_time(), **self.common()}

    def tracing_span_to_line_data(self):
        tags = [(self.key(), self.text(128)) for _ in range(self.few())]
        if tags and self.random.random() < 0.2:
            tags.append(self.random.choice(tags))
        if self.is_odd(0.1):
            tags = [(f"k{i}", "v") for i in range(self.random.choice([18, 19, 20, 21]))]
        if self.is_odd(0.2):
            tags.insert(self.random.randrange(len(tags) + 1), ("_spanLogs", self.random.choice(["true", "false", ""])))
        return {"name": self.text(128), "start_millis": self.time(), "duration_millis": self.time(self.random.randrange(10**6)),
                "source": self.source(), "trace_id": self.id(), "span_id": self.id(),
                "parents": self.ids(), "follows_from": self.ids(), "tags": self.or_none(tags),
                "span_logs": self.logs() if self.random.random() < 0.4 else None, "default_source": self.default_source()}

    def span_log_to_line_data(self):
        span = self.tracing_span_to_line_data()
        span["span_logs"] = None
        if self.random.random() < 0.3:
            span = None
        elif self.is_odd(0.5):
            span = self.random.choice(["", " \n", "None", "not a span", "\"op\" source=\"s\" 1 2\n", self.any_text()])
        return {"trace_id": self.id(), "span_id": self.id(), "span_logs": self.logs(), "span": span,
                "lf": self.random.random() < 0.8, "scrambler": "x" if self.is_odd(0.1) else None}

    def event_to_line_data(self):
        tags = [self.text(128) for _ in range(self.few())]
        annotations = {self.key(): self.text(128) for _ in range(self.few())}
        return {"name": self.text(128), "start_time": self.time(), "end_time": self.optional_time(), "source": self.source(),
                "tags": self.or_none(tags), "annotations": self.or_none(annotations), "default_source": self.default_source()}

    event_to_json = event_to_line_data

    # ---- what they are made of --------------------------------------------------------------------------------------

    def is_odd(self, part=1.0):
        return self.random.random() < self.odd * part

    def few(self, least=0):
        return max(least, self.random.choice([0, 1, 1, 2, 2, 3, 5]))

    def or_none(self, what):
        return None if self.is_odd(0.2) or not what and self.random.random() < 0.5 else what

    def common(self):
        tags = {self.key(): self.text(200) for _ in range(self.few())}
        if self.is_odd(0.1):
            value = self.random.choice(["v", "é" * 200, "温" * 240])
            tags = {f"{i}.key": value for i in range(self.random.choice([99, 100, 101]))}
        return {"source": self.source(), "tags": self.or_none(tags), "default_source": self.default_source()}

    def any_text(self):
        kind = self.random.random()
        if kind < 0.25:
            return self.random.choice(WHOLE)
        text = "".join(self.random.choice(PIECES) for _ in range(self.random.choice([1, 1, 2, 3, 5, 8, 13])))
        if kind < 0.4:
            code = self.random.choice([0x80, 0x800, 0x10000, 0x110000])
            text += chr(next(c for c in iter(lambda: self.random.randrange(code), None) if not 0xD800 <= c < 0xE000))
        if kind < 0.7:
            text = self.random.choice(WORDS) + text
        return text + self.random.choice(["", "", "", " ", "\\", "x", "\n"])

    def long(self, limit):
        """Around the limit, in UTF-16 units of 1 to 4 bytes; odd characters at either end."""
        unit, units = self.random.choice([("a", 1), ("a", 1), ("é", 1), ("温", 1), ("😀", 2), ("\n", 2), ("\"", 1)])
        text = unit * ((limit + self.random.choice([-3, -2, -1, 0, 1, 2, 100])) // units)
        return self.random.choice(["", "", "b", "∆", " "]) + text + self.random.choice(["", "", "c", "\\", "😀"])

    def text(self, limit):
        if not self.is_odd():
            return self.random.choice(WORDS)
        if self.is_odd(0.05):
            return None
        return self.long(limit) if self.random.random() < 0.1 else self.any_text()

    def key(self):
        if not self.is_odd():
            return self.random.choice(KEYS)
        kind = self.random.random()
        return self.random.choice(ODD_KEYS) if kind < 0.4 else self.long(self.random.choice([128, 253])) if kind < 0.45 else self.any_text()

    def source(self):
        return self.random.choice([None, ""]) if self.random.random() < 0.2 else self.text(1023)

    def default_source(self):
        return self.text(1023) if self.is_odd(0.5) else "defaultSource"

    def double(self):
        kind = self.random.random()
        if kind < 0.4:
            return self.random.choice(DOUBLES)
        if kind < 0.6:
            return round(self.random.uniform(-1e6, 1e6), self.random.randrange(6))
        if kind < 0.8:
            return self.random.uniform(-1, 1) * 10.0 ** self.random.randrange(-30, 31)
        bits = self.random.getrandbits(64)
        value = struct.unpack("<d", struct.pack("<Q", bits))[0]
        return value if abs(value) < float("inf") else 1.0

    def value(self):
        return self.random.choice(ODD_DOUBLES) if self.is_odd() else self.double()

    def mean(self):
        if self.is_odd():
            return self.random.choice(ODD_DOUBLES[:8])
        return self.random.randrange(-100, 10**6) if self.random.random() < 0.3 else self.double()

    def count(self):
        if not self.is_odd():
            return self.random.randrange(1, 10**4)
        return self.random.choice([0, -1, 20.0, 2**31 - 1, 2**31, 2**32 + 7, 10 * (2**31 - 1), 2**40, 2**63, 2**64 - 1, 2**64])

    def time(self, usual=None):
        if self.is_odd():
            return self.random.choice(TIMES if self.random.random() < 0.6 else ODD_TIMES)
        return self.random.randrange(1_400_000_000_000, 1_700_000_000_000) if usual is None else usual

    def optional_time(self):
        return None if self.random.random() < 0.3 else self.time()

    def id(self):
        if self.is_odd(0.1):
            return self.random.choice(["not-a-uuid", "", "5", "7B3BF470-9456-11E8-9EB6-529269FB1459"])
        return uuid.UUID(int=self.random.choice([0, 1, 2**128 - 1]) if self.is_odd() else self.random.getrandbits(128))

    def ids(self):
        return self.or_none([self.id() for _ in range(self.random.choice([0, 0, 1, 2]))])

    def logs(self):
        logs = [{"timestamp": self.time(), "fields": {self.key(): self.field() for _ in range(self.few())}}
                for _ in range(self.few(1))]
        return [] if self.is_odd(0.1) else logs

    def field(self):
        return self.random.choice([5, 1.5, True, None]) if self.is_odd(0.1) else self.text(128) or ""
