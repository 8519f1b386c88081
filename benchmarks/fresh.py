"""What a policy costs a process that does nothing else: seconds to open it, megabytes to keep it.

    python benchmarks/fresh.py FOLDER REQUESTS [--cache]

Opens the policy and decides the requests (a file of JSON lines). Prints one JSON object: `load_s` until the
first request is decided, the engine's import included; `memory_mb` held then, and `memory_after_mb` after
the last request, both beyond what the bare interpreter held: nothing else is imported before it is weighed.
"""

# ruff: noqa: PLC0415, PTH120, PTH123
import os
import sys

sys.path[0] = os.path.dirname(sys.path[0])

from benchmarks.memory import resident  # noqa: E402


def main(folder: str, requests: str, *options: str) -> None:
    """Measure and print."""
    bare = resident()
    import json
    import time

    with open(requests, "rb") as lines:
        first = json.loads(lines.readline())
        started = time.perf_counter()
        from engine import open_policy

        policy = open_policy(folder, "2026-11-22", engine="compiled", cache="--cache" in options)
        policy.decide(first)
        load_s = time.perf_counter() - started
        loaded = resident()
        for line in lines:
            policy.decide(json.loads(line))
    print(json.dumps({"load_s": load_s, "memory_mb": loaded - bare, "memory_after_mb": resident() - bare}))


if __name__ == "__main__":
    main(*sys.argv[1:])
