"""python.py TAGS: nanoseconds of the processor that a metric's line with so many tags takes the Python SDK."""

import sys
import time

from wavefront_sdk.common.utils import metric_to_line_data

TAGS = {"datacenter": "dc1", "region": "us-west", "service": "checkout", "env": "production"}
LINES = 20_000


def main(count):
    tags = dict(list(TAGS.items())[:count])
    values = [(line * 7919 % 1_000_000) / 100 for line in range(1024)]
    assert metric_to_line_data("new-york.power.usage", 42422.01, 1493773500, "localhost", {"datacenter": "dc1"}, "d") == (
        '"new-york.power.usage" 42422.01 1493773500 source="localhost" "datacenter"="dc1"\n')
    for _ in range(2):  # The first warms up.
        began = time.process_time_ns()
        for line in range(LINES):
            metric_to_line_data("new-york.power.usage", values[line & 1023], 1493773500 + line, "localhost", tags, "d")
        took = time.process_time_ns() - began
    print(took / LINES)


if __name__ == "__main__":
    main(int(sys.argv[1]))
