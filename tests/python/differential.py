"""differential.py PROGRAM COUNT SEED: random inputs through the Python SDK and through PROGRAM, our side.

Equal bytes, or a difference by its name (differences.py); and every line of ours is read by our own reader as what was
meant. Exit 1 where an input has another outcome.
"""

import collections
import itertools
import json
import subprocess
import sys
import tempfile

from differences import (NAMES, Model, Untyped, bits, chosen_source, cleaned_name, cleaned_text, delta_name, span_key,
                         trimmed)
from inputs import Inputs

SHOWN = 10
# Of so many inputs, every difference is seen.
CERTAIN = 20_000


def main(program, count, seed):
    models = [Model(function, args) for function, args in itertools.islice(Inputs(seed), count)]
    answers = ours(program, models)
    totals, names, unexplained, refused, lines = collections.Counter(), collections.Counter(), [], 0, 0
    for index, (model, request, answer) in enumerate(answers):
        totals[model.function] += 1
        found, why = judge(model, request, answer)
        if why:
            unexplained.append((index, model, answer, why))
        names.update(found)
        names["(equal)"] += not found and not why
        refused += "ok" not in answer
        lines += len(answer.get("read", ()))
    for index, model, answer, why in unexplained[:SHOWN]:
        print(f"UNEXPLAINED: input {index} of seed {seed}: {why}\n  {model.function} {model.original}"[:3000])
        print(f"  Python: {model.python!r}"[:1500])
        print(f"  ours:   {answer}"[:2500])
    print(f"{count} inputs of seed {seed}: {refused} refused by us, {lines} lines of ours read back")
    for function, total in totals.items():
        print(f"  {total:7} {function}")
    print("differences by name; an input may have several")
    for name, text in {"(equal)": "same bytes, or refused by both", **NAMES}.items():
        print(f"  {names[name]:7} {name}: {text}")
    print(f"{len(unexplained)} unexplained")
    never = [name for name in NAMES if not names[name]]
    if never and count >= CERTAIN:
        print("never seen, so nothing tests them: " + ", ".join(never))
    return 1 if unexplained or never and count >= CERTAIN else 0


def ours(program, models):
    """Each model with our request and our answer to it."""
    with tempfile.TemporaryFile("w+", encoding="utf-8") as requests:
        asked = []
        for model in models:
            try:
                request = model.request()
            except Untyped as untyped:
                asked.append((model, None, {"untyped": str(untyped)}))
                continue
            print(json.dumps(request), file=requests)
            asked.append((model, request, None))
        requests.flush()
        requests.seek(0)
        with subprocess.Popen([program], stdin=requests, stdout=subprocess.PIPE, encoding="utf-8") as process:
            for model, request, answer in asked:
                yield model, request, answer or json.loads(process.stdout.readline())
            if process.stdout.read() or process.wait():
                sys.exit("our side went wrong")


def judge(model, request, answer):
    """The names of the differences, and why they do not explain the outcome."""
    python = model.python
    fails = isinstance(python, Exception)
    if "untyped" in answer:
        return (set() if fails else {answer["untyped"]}), None
    try:
        expected = model.expected()
    except Exception as error:  # pylint: disable=broad-except
        return set(), f"the changed Python functions fail: {error!r}"
    if "error" in answer:
        found = {name for name, *what in model.refusals if what == answer["error"]}
        if not found:
            return set(), f"we may refuse for {model.refusals} only"
        if fails:
            return set(), None
        return found, "Python does not refuse, and the refusal has no name" if "" in found else None
    if model.refusals:
        return set(), f"we should have refused for {model.refusals}"
    if answer["ok"] != expected:
        return set(), f"expected {expected!r} by {sorted(model.hits)}"
    if (python != expected) != bool(model.hits):
        return set(), f"{sorted(model.hits)} is not what differs"
    return model.hits, misread(model, request, answer)


# ---- what our lines mean ----------------------------------------------------------------------------------------------

def misread(model, request, answer):
    """What the reader makes of our lines, where it is not what was meant."""
    meant = MEANT[model.function](model.original, request)
    if model.function == "event_to_json":
        read = json.loads(answer["ok"])
    else:
        read = answer["read"]
        if not answer["ok"]:
            meant = []
        elif not answer["ok"].endswith("\n"):
            return "the last line has no end"
    return None if read == meant else f"read as {read}, meant was {meant}"


def milliseconds(time):
    """A time of a point, as the receiver takes its unit from its size; through a double, as it does."""
    if time is None:
        return None
    time = int(float(time))
    if time < 10**12:
        return int(1000.0 * time)
    time = min(time, 2**63 - 1)
    return time if time < 10**13 else time // 10**3 if time < 10**16 else time // 10**6


def pairs(tags):
    return [[cleaned_name(key), cleaned_text(value)] for key, value in tags]


def point_tags(tags):
    """The receiver keeps `tag` for itself."""
    return [["_tag" if key == "tag" else key, value] for key, value in pairs(tags)]


def point(args, request, name=cleaned_name):
    name = name(args["name"] or "")
    kind = "delta" if name.startswith(("∆", "Δ")) else "metric"
    fields = {"name": name, "value": request["value"], "timestamp": milliseconds(request.get("timestamp")),
              "source": cleaned_text(chosen_source(args)), "tags": point_tags(request["tags"])}
    return [{"kind": kind, "fields": fields}]


def delta(args, request):
    return point(args, request, lambda name: cleaned_name(delta_name(name)))


def histogram(args, request):
    centroids = [[bits(mean), left] for mean, count in args["centroids"]
                 for left in [2**31 - 1] * ((count - 1) // (2**31 - 1)) + [(count - 1) % (2**31 - 1) + 1]]
    return [{"kind": "histogram", "fields": {
        "name": cleaned_name(args["name"]), "granularity": granularity, "timestamp": interval(request["timestamp"], seconds),
        "source": cleaned_text(chosen_source(args)), "tags": point_tags(request["tags"]), "centroids": centroids,
    }} for mark, granularity, seconds in (("!D", "Day", 86400), ("!H", "Hour", 3600), ("!M", "Minute", 60))
            if mark in args["histogram_granularities"]]


def interval(time, seconds):
    """The receiver takes the beginning of the interval."""
    return None if time is None else milliseconds(time) // (1000 * seconds) * (1000 * seconds)


def span_fields(args, request):
    start, duration = (int(float(request[key])) for key in ("start_millis", "duration_millis"))
    start, duration = min(start, 2**63 - 1), min(duration, 2**63 - 1)
    duration -= start if duration >= start else 0
    if start < 10**12:
        start, duration = start * 1000, wrapping(duration * 1000)
    elif start >= 10**15:
        unit = 10**3 if start < 10**18 else 10**6
        start, duration = start // unit, duration // unit
    marked = bool(args["span_logs"])
    tags = [["parent", id] for id in request["parents"]] + [["followsFrom", id] for id in request["follows_from"]]
    for key, value in request["tags"]:
        pair = [span_key(key), cleaned_text(value)]
        if pair not in tags and not (marked and key == "_spanLogs"):
            tags.append(pair)
    if marked:
        tags.append(["_spanLogs", "true"])
    return {"name": cleaned_text(args["name"]).replace("*", "-"), "source": cleaned_text(chosen_source(args)),
            "trace_id": request["trace_id"], "span_id": request["span_id"], "start_millis": start,
            "duration_millis": duration, "tags": tags}


def wrapping(number):
    """As the receiver's integers of 64 bits do."""
    return (number + 2**63) % 2**64 - 2**63


def span(args, request):
    return [{"kind": "span", "fields": span_fields(args, request)}]


def span_logs(args, request):
    logs = [[log["timestamp"], log["fields"]] for log in request["span_logs"]]
    inner = args["span"] and span_fields(args["span"], Model("tracing_span_to_line_data", args["span"]).request())
    return [{"kind": "span_logs", "fields": {
        "trace_id": request["trace_id"], "span_id": request["span_id"], "logs": logs, "span": inner}}]


def event(args, request):
    start = milliseconds(request["start_time"])
    end = milliseconds(request["end_time"] or request["start_time"] + 1)
    return [{"kind": "event", "fields": {
        "name": cleaned_text(args["name"]), "start_time": start, "end_time": end if end > start else start + 1,
        "hosts": [cleaned_text(chosen_source(args))], "tags": [cleaned_text(tag) for tag in args["tags"] or []],
        "annotations": pairs(request["tags"]), "dimensions": []}}]


def event_json(args, request):
    meant = {"name": args["name"], "annotations": dict(request["tags"]), "hosts": [trimmed(chosen_source(args))],
             "startTime": request["start_time"], "endTime": request["end_time"] or request["start_time"] + 1}
    return meant | ({"tags": args["tags"]} if args["tags"] else {})


MEANT = {"metric_to_line_data": point, "send_delta_counter": delta, "histogram_to_line_data": histogram,
         "tracing_span_to_line_data": span, "span_log_to_line_data": span_logs, "event_to_line_data": event,
         "event_to_json": event_json}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
