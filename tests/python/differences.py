"""Where our lines differ from the Python SDK's, each difference by its name.

Ours must be, byte for byte, what the SDK writes once it is changed by the named differences below; which of them changed
anything for an input is noted in `Model.hits`. An input that we refuse must be one of `Model.refusals`, by field and
problem, and one that we take must be none. There is no room for a difference without a name.
"""

import importlib.util
import json
import math
import struct
import types
import uuid

from wavefront_sdk.common import utils
from wavefront_sdk.entities.metrics.sender import WavefrontMetricSender
from wavefront_sdk.entities.tracing.span_log import SpanLog

NAMES = {
    "slash": "`/` stays in names and keys",
    "exponent": "a double as `1e16`, not `1e+16`",
    "float-mean": "an integer mean is `30.0`",
    "count": "a count is a whole number of 1 to 2^31-1; larger ones are split",
    "granularity-order": "day, hour, minute",
    "trailing-backslash": "no backslash at the end of a value, where it would escape the quote",
    "eot": "U+0004 in a value is `-`",
    "numeric-span-key": "`_` before a span key made of digits",
    "span-mark": "`_spanLogs` of a span with logs is written last and once",
    "span-logs-without-tags": "span logs without tags work",
    "span-line": "the span inside its logs is a span line without its LF, or it is not there",
    "json": "JSON without blanks, text as UTF-8",
    "event-text": "text of an event line is cleaned and escaped",
    "event-source": "a blank source of an event is the default one, and blanks around it are cut",
    "id": "ids are UUIDs in lower case",
    "prefix-only": "a name that is only `∆`, `~` or both",
    "non-finite": "NaN, infinity",
    "negative-time": "a time below zero",
    "too-large": "a time beyond 64 bits, in JSON beyond 63",
    "event-time": "an event's times are whole milliseconds",
    "negative-delta": "a negative increment is an error, Python sends nothing",
    "delta-metric": "a metric whose name starts with a delta has to be an increment",
    "blank-delta": "a delta counter with a blank name, to which Python adds the prefix",
    "reserved-key": "keys that overwrite a field of the line",
    "repeated-key": "a key that occurs twice after clean-up",
    "over-limit": "more than the receiver takes",
    "no-source": "no source, and no default",
    "no-logs": "span logs without a record",
    "blank-log-key": "a blank key of a span log",
    "typed": "what our types cannot say: text or a fraction for a whole number, a granularity that does not exist",
    "scrambler": "there is none",
}

DELTAS = ("∆", "Δ")
PREFIXES = {"∆", "Δ", "∆~", "Δ~"}
LEGAL = set(",-./0123456789_ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
MAX_COUNT = 2**31 - 1
LIMITS = {"metric_to_line_data": 32768, "send_delta_counter": 32768, "histogram_to_line_data": 65536,
          "tracing_span_to_line_data": 1 << 20, "span_log_to_line_data": 1 << 20, "event_to_line_data": 32768,
          "event_to_json": math.inf}


# ---- the clean-up, as the wire format has it -------------------------------------------------------------------------

def is_blank(text):
    return text is None or not text.strip()


def cleaned_name(raw):
    prefix = raw[:2] if raw[:2] in PREFIXES else raw[:1] if raw[:1] in ("∆", "Δ", "~") else ""
    return prefix + "".join(c if c in LEGAL else "-" for c in raw[len(prefix):])


def delta_name(raw):
    return raw if raw.startswith(DELTAS) else "∆" + raw


def span_key(raw):
    name = cleaned_name(raw)
    return "_" + name if name.isascii() and name.isdigit() else name


def trimmed(raw):
    """Without white space at both ends, and backslashes at the end, of which neither is left at the end."""
    text = (raw or "").strip()
    while text.endswith("\\"):
        text = text.rstrip("\\").rstrip()
    return text


def cleaned_text(raw):
    """What the receiver makes of a value."""
    return trimmed(raw).replace("\n", "\\n").replace("\x04", "-")


def escaped_text(raw):
    """How a value stands between quotes."""
    return cleaned_text(raw).replace("\"", "\\\"")


def utf16(text):
    return sum(2 if ord(c) > 0xFFFF else 1 for c in text)


def chosen_source(args):
    return args["source"] if cleaned_text(args["source"]) else args["default_source"]


def spelled(value):
    """The shortest digits of a double, in our spelling."""
    sign, digits, exponent = "-" if math.copysign(1, value) < 0 else "", *shortest(abs(value))
    if value == 0:
        return sign + "0.0"
    point = len(digits) + exponent
    if exponent >= 0 and point <= 16:
        return sign + digits + "0" * exponent + ".0"
    if 0 < point <= 16:
        return sign + digits[:point] + "." + digits[point:]
    if -5 < point <= 0:
        return sign + "0." + "0" * -point + digits
    return sign + digits[0] + ("." + digits[1:] if digits[1:] else "") + "e" + str(point - 1)


def shortest(value):
    mantissa, _, exponent = repr(value).partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits, exponent = whole + fraction, int(exponent or 0) - len(fraction)
    kept = digits.rstrip("0")
    return kept.lstrip("0"), exponent + len(digits) - len(kept)


class Untyped(Exception):
    """The argument cannot be said in our types; its name is the difference's."""


class Model:
    """What an input has to come to, and the differences on the way."""

    def __init__(self, function, args):
        self.function, self.original, self.args = function, args, dict(args)
        self.hits = set()
        self.refusals = []
        if function == "span_log_to_line_data":
            self.span_line()
        self.python = self.call(utils)

    def call(self, module):
        """The function's output, None for nothing sent, or the exception."""
        # The SDK adds to the caller's own list of tags.
        args = {key: list(value) if isinstance(value, list) else value for key, value in self.args.items() if key != "lf"}
        if self.function == "span_log_to_line_data":
            args["span_logs"] = [SpanLog(**log) for log in args["span_logs"]]
        try:
            if self.function != "send_delta_counter":
                return getattr(module, self.function)(**args)
            sent = []
            sender = types.SimpleNamespace(DELTA_PREFIX="∆", DELTA_PREFIX_2="Δ")
            default_source = args.pop("default_source")
            sender.send_metric = lambda name, value, timestamp, source, tags: sent.append(
                module.metric_to_line_data(name, value, timestamp, source, tags, default_source))
            WavefrontMetricSender.send_delta_counter(sender, **args)
            return sent[0] if sent else ""
        except Exception as error:  # pylint: disable=broad-except
            return error

    def span_line(self):
        """A span's arguments become its line, as we would write it if we do."""
        span = self.args["span"]
        self.span_is_line = True
        if isinstance(span, dict):
            model = Model("tracing_span_to_line_data", span)
            try:
                model.request()
                self.args["span"] = model.expected()
            except Untyped:
                model.refusals.append(None)
            if model.refusals:
                self.args["span"] = "\"bad\" source=\"s\" 5 5\n"
                self.span_is_line = False
            if not self.args["lf"]:
                self.args["span"] = self.args["span"][:-1]
        elif span is not None:
            self.span_is_line = False

    # ---- our arguments ----------------------------------------------------------------------------------------------

    def request(self):
        """The request for our side; `Untyped` where it cannot be made."""
        args, request = self.args, {"fn": self.function}
        for key in ("name", "source", "default_source"):
            request[key] = args.get(key)
        if "value" in args:
            request["value"] = bits(args["value"])
        for key in ("timestamp", "start_millis", "duration_millis", "start_time", "end_time"):
            if key in args:
                request[key] = self.time(args[key], key)
        if request.get("start_time", 0) is None:
            request["start_time"] = 0
        tags = args.get("annotations" if self.function.startswith("event") else "tags") or {}
        request["tags"] = [[key, value] for key, value in (tags.items() if isinstance(tags, dict) else tags)]
        if self.function.startswith("event"):
            request["event_tags"] = args["tags"]
        if "centroids" in args:
            request["centroids"] = [[bits(mean), self.count(count)] for mean, count in args["centroids"] or []]
            request["histogram_granularities"] = sorted(args["histogram_granularities"] or [])
            if not {"!M", "!H", "!D"}.issuperset(request["histogram_granularities"]):
                raise Untyped("typed")
        for key in ("trace_id", "span_id"):
            if key in args:
                request[key] = self.id(args[key])
        for key in ("parents", "follows_from"):
            request[key] = [self.id(id) for id in args.get(key) or []]
        if "span_logs" in args:
            request["span_logs"] = [{"timestamp": self.time(log["timestamp"], "log"), "fields": self.fields(log["fields"])}
                                    for log in args["span_logs"] or []]
        if "span" in args:
            request["span"] = args["span"]
            if args["scrambler"] is not None:
                raise Untyped("scrambler")
        return request

    def time(self, time, key):
        if time is None:
            return None
        if time < 0 and int(time) < 0:
            raise Untyped("negative-time")
        if isinstance(time, float):
            if key != "timestamp":
                raise Untyped("event-time" if self.function.startswith("event") else "typed")
            time = int(time)  # as Python does
        if time >= 2**64:
            raise Untyped("too-large")
        return time

    @staticmethod
    def count(count):
        if isinstance(count, float) or not 0 <= count < 2**64:
            raise Untyped("count")
        return count

    @staticmethod
    def id(id):
        try:
            return str(id if isinstance(id, uuid.UUID) else uuid.UUID(id))
        except ValueError:
            raise Untyped("id") from None

    @staticmethod
    def fields(fields):
        if not all(isinstance(value, str) for value in fields.values()):
            raise Untyped("typed")
        return list(map(list, fields.items()))

    # ---- what we refuse ---------------------------------------------------------------------------------------------

    def refuse(self, name, field, problem):
        """`name` is "" where Python has to refuse too."""
        self.refusals.append((name, field, problem))

    def check_length(self, field, length, limit):
        if length > limit:
            self.refuse("over-limit", field, f"TooLong {{ limit: {limit}, len: {length} }}")

    def check_name(self, raw, field, limit, cleaned=cleaned_name, blank=""):
        if is_blank(raw):
            self.refuse(blank, field, "Blank")
        elif raw in PREFIXES or raw == "~" and field.endswith("Name"):
            self.refuse("prefix-only", field, "PrefixOnly")
        else:
            self.check_length(field, len(cleaned(raw)), limit)

    def check_text(self, raw, field, limit=math.inf):
        if not trimmed(raw):
            self.refuse("" if is_blank(raw) else "trailing-backslash", field, "Blank")
        self.check_length(field, utf16(cleaned_text(raw)), limit)

    def check_source(self):
        source = chosen_source(self.args)
        if not trimmed(source):
            self.refuse("no-source", "Source", "Missing")
        self.check_length("Source", utf16(cleaned_text(source)), 1023)

    def check_point_tags(self):
        tags = self.args["tags"] or {}
        if len(tags) > 100:
            self.refuse("over-limit", "Tags", f"TooMany {{ limit: 100, count: {len(tags)} }}")
        seen = set()
        for key, value in tags.items():
            self.check_name(key, "TagKey", 253)
            if key in ("source", "host"):
                self.refuse("reserved-key", "TagKey", "ReservedKey")
            read = cleaned_name(key) if key != "tag" else "_tag"  # the receiver renames it
            if read in seen:
                self.refuse("repeated-key", "TagKey", "RepeatedKey")
            seen.add(read)
            self.check_text(value, "TagValue")
            self.check_length("Tag", len(read) + utf16(cleaned_text(value)), 254)

    def check_value(self, delta_name_of):
        value, name = float(self.args["value"]), self.args["name"] or ""
        if not math.isfinite(value):
            self.refuse("non-finite", "Value", "NotFinite")
        elif value < 0 and delta_name_of(name).startswith(DELTAS):
            self.refuse("negative-delta" if delta_name_of is delta_name else "delta-metric", "Value", "Negative")

    def check_metric_to_line_data(self):
        nothing = self.sends_nothing()
        self.check_name(self.args["name"], "MetricName", math.inf if nothing else 1023)
        if nothing:
            return
        self.check_value(cleaned_name)
        self.check_source()
        self.check_point_tags()

    def check_send_delta_counter(self):
        if self.sends_nothing():
            return
        self.check_value(delta_name)
        name = self.args["name"] or ""
        # To a blank name Python puts the delta first, and finds it not blank then.
        self.check_name(name if is_blank(name) or name == "~" else delta_name(name), "MetricName", 1023, blank="blank-delta")
        self.check_source()
        self.check_point_tags()

    def check_histogram_to_line_data(self):
        self.check_name(self.args["name"], "HistogramName", 1023)
        if not self.args["histogram_granularities"]:
            self.refuse("", "Granularities", "Missing")
        if not self.args["centroids"]:
            self.refuse("", "Centroids", "Missing")
        for mean, count in self.args["centroids"] or []:
            if not math.isfinite(mean):
                self.refuse("non-finite", "CentroidMean", "NotFinite")
            if count == 0:
                self.refuse("count", "CentroidCount", "Zero")
        self.check_source()
        self.check_point_tags()

    def check_tracing_span_to_line_data(self):
        args = self.args
        self.check_text(args["name"], "SpanName", 128)
        self.check_source()
        marked = bool(args["span_logs"])
        pairs = set()
        for key, value in args["tags"] or []:
            if marked and key == "_spanLogs":
                continue
            self.check_name(key, "SpanTagKey", 128, span_key)
            if key in ("source", "host", "traceId", "spanId", "parent", "followsFrom"):
                self.refuse("reserved-key", "SpanTagKey", "ReservedKey")
            self.check_text(value, "SpanTagValue")
            pairs.add((span_key(key or ""), cleaned_text(value)))
        count = len(pairs) + len(args["parents"] or []) + len(args["follows_from"] or []) + marked
        if count > 20:
            self.refuse("over-limit", "SpanTags", f"TooMany {{ limit: 20, count: {count} }}")

    def check_span_log_to_line_data(self):
        if not self.args["span_logs"]:
            self.refuse("no-logs", "SpanLogs", "Missing")
        for log in self.args["span_logs"]:
            if log["timestamp"] >= 2**63:
                self.refuse("too-large", "Timestamp", "TooLarge")
            for key in log["fields"]:
                if is_blank(key):
                    self.refuse("blank-log-key", "SpanLogKey", "Blank")
        if not self.span_is_line:
            self.refuse("span-line", "SpanLine", "Malformed")

    def check_event_to_line_data(self):
        self.check_start()
        self.check_text(self.args["name"], "EventName")
        self.check_source()
        seen = set()
        for key, value in (self.args["annotations"] or {}).items():
            self.check_name(key, "AnnotationKey", math.inf)
            if key in ("host", "tag", "eventTag"):
                self.refuse("reserved-key", "AnnotationKey", "ReservedKey")
            if cleaned_name(key) in seen:
                self.refuse("repeated-key", "AnnotationKey", "RepeatedKey")
            seen.add(cleaned_name(key))
            self.check_text(value, "AnnotationValue")
        for tag in self.args["tags"] or []:
            self.check_text(tag, "EventTag")

    def check_start(self):
        if not self.args["start_time"]:
            self.refuse("", "Timestamp", "Zero")

    def check_event_to_json(self):
        self.check_start()
        start = self.args["start_time"] or 0
        if max(start, self.args["end_time"] or start + 1) >= 2**63:
            self.refuse("too-large", "Timestamp", "TooLarge")
        self.check_source()
        texts = [(self.args["name"], "EventName")] + [(tag, "EventTag") for tag in self.args["tags"] or []]
        for key, value in (self.args["annotations"] or {}).items():
            texts += [(key, "AnnotationKey"), (value, "AnnotationValue")]
        for text, field in texts:
            if is_blank(text):
                self.refuse("", field, "Blank")

    # ---- what we write ----------------------------------------------------------------------------------------------

    def expected(self):
        """Our output. The refusals are complete after this."""
        getattr(self, "check_" + self.function)()
        if self.refusals:
            return None
        if self.sends_nothing():
            return ""
        self.change_arguments()
        text = PATCHED.call(self)
        if isinstance(text, Exception):
            raise text
        longest, limit = max(map(len, text.encode().split(b"\n"))) + 1 + self.left_out, LIMITS[self.function]
        if longest > limit:
            self.refuse("over-limit", "Line", f"TooLong {{ limit: {limit}, len: {longest} }}")
            return None
        return text

    def sends_nothing(self):
        """An increment of zero, whatever else it is. Python sends it if it is said to be a metric."""
        if "value" not in self.args or float(self.args["value"]) != 0:
            return False
        if self.function == "send_delta_counter":
            return True
        if (self.args["name"] or "").startswith(DELTAS):
            self.hits.add("delta-metric")
            return True
        return False

    def change(self, name, key, value):
        if self.args[key] != value or type(self.args[key]) is not type(value):
            self.hits.add(name)
            self.args[key] = value

    left_out = 0

    def change_arguments(self):
        args = self.args
        if "source" in args and not trimmed(args["source"]):
            event = self.function.startswith("event")
            if args["source"] and (event or not is_blank(args["source"])):
                self.hits.add("event-source" if event else "trailing-backslash")
            args["source"] = None
        if "centroids" in args:
            self.change_centroids()
            ordered = [mark for mark in ("!D", "!H", "!M") if mark in args["histogram_granularities"]]
            if ordered != list(args["histogram_granularities"]):
                self.hits.add("granularity-order")
            args["histogram_granularities"] = ordered
        for key in ("trace_id", "span_id", "parents", "follows_from"):
            self.change_ids(key)
        if self.function == "tracing_span_to_line_data":
            self.change_span_tags()
        if self.function == "event_to_line_data" and not args["end_time"] and args["start_time"] == 2**64 - 1:
            self.change("too-large", "end_time", args["start_time"])
        if self.function == "event_to_line_data":
            self.change("event-text", "name", escaped_text(args["name"]))
            args["annotations"] = {key: value for key, value in (args["annotations"] or {}).items()}
            self.change("event-text", "annotations",
                        {cleaned_name(key): escaped_text(value) for key, value in args["annotations"].items()})
            args["tags"] = args["tags"] or []
            self.change("event-text", "tags", [escaped_text(tag) for tag in args["tags"]])
            source = "source" if args["source"] else "default_source"
            self.change("event-text", source, escaped_text(args[source]))
        if self.function == "event_to_json":
            source = "source" if args["source"] else "default_source"
            self.change("event-source", source, trimmed(args[source]))
        if self.function == "span_log_to_line_data":
            if args["span"] is None or args["span"].endswith("\n"):
                self.hits.add("span-line")
            if args["span"] is not None:
                args["span"] = args["span"].removesuffix("\n")

    def change_ids(self, key):
        if self.args.get(key):
            many = isinstance(self.args[key], list)
            ids = self.args[key] if many else [self.args[key]]
            known = [id if isinstance(id, uuid.UUID) else uuid.UUID(id) for id in ids]
            if list(map(str, known)) != list(map(str, ids)):
                self.hits.add("id")
            self.args[key] = known if many else known[0]

    def change_centroids(self):
        centroids = []
        for mean, count in self.args["centroids"]:
            if not isinstance(mean, float):
                self.hits.add("float-mean")
                mean = float(mean)
            times = (count - 1) // MAX_COUNT
            if times:
                self.hits.add("count")
            if times > 10_000:
                # Too many to write. Only the length matters, and whatever it is, it is over the limit.
                self.left_out += times * len(f" #{MAX_COUNT} {spelled(mean)}")
                times = 0
            centroids += [(mean, MAX_COUNT)] * times + [(mean, (count - 1) % MAX_COUNT + 1)]
        self.args["centroids"] = centroids

    def change_span_tags(self):
        args, marked = self.args, bool(self.args["span_logs"])
        if marked and args["tags"] is None:
            self.hits.add("span-logs-without-tags")
        tags = args["tags"] or []
        if marked:
            mark = ("_spanLogs", "true")
            written = [(key, cleaned_text(value) if key == mark[0] else value) for key, value in tags]
            tags = [(key, value) for key, value in tags if key != mark[0]]
            if list(dict.fromkeys(written + [mark])) != list(dict.fromkeys(tags + [mark])):
                self.hits.add("span-mark")
        numbered = [(("_" if key.isascii() and key.isdigit() else "") + key, value) for key, value in tags]
        if numbered != tags:
            self.hits.add("numeric-span-key")
        args["tags"] = numbered


def bits(value):
    """A double as its bits. Python takes text for one too."""
    if isinstance(value, str):
        raise Untyped("typed")
    return struct.unpack("<Q", struct.pack("<d", float(value)))[0]


class Patched:
    """A second copy of the SDK's functions, whose clean-up is changed where it differs by name."""

    def __init__(self):
        spec = importlib.util.spec_from_file_location("patched_utils", utils.__file__)
        self.module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(self.module)
        self.hits = set()
        self.model = None
        self.module.sanitize = self.sanitize
        self.module.sanitize_value = self.sanitize_value
        self.module.str = self.str
        self.module.json = types.SimpleNamespace(dumps=self.dumps)

    def call(self, model):
        self.hits, self.model = model.hits, model
        return model.call(self.module)

    def sanitize(self, string):
        clean = utils.sanitize(string)
        if "/" in string:
            self.hits.add("slash")
            clean = "\"" + "".join("/" if was == "/" else now for was, now in zip(string, clean[1:-1])) + "\""
        return clean

    def sanitize_value(self, string):
        clean = utils.sanitize_value(trimmed(string))
        if clean != utils.sanitize_value(string):
            self.hits.add("trailing-backslash")
        if "\x04" in clean:
            self.hits.add("eot")
        return clean.replace("\x04", "-")

    def str(self, value):
        if isinstance(value, float) and str(value) != spelled(value):
            self.hits.add("exponent")
            return spelled(value)
        return str(value)

    def dumps(self, value, **options):
        if self.model.function == "span_log_to_line_data" and self.model.args["span"] is None:
            value = {key: member for key, member in value.items() if key != "span"}
        compact = json.dumps(value, ensure_ascii=False, separators=(",", ":"), **options)
        if compact != json.dumps(value, **options):
            self.hits.add("json")
        return compact


PATCHED = Patched()
