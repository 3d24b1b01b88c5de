"""The benchmark: `python -m tests.bench`, from the root of the source tree.

Compares, in one run and turn about, the Claude Code CLI alone with the gateway in front of it, then measures what the
gateway itself costs over a fake CLI. No account and no network: the CLI talks to a scripted endpoint on loopback.
Prints Markdown tables; `--json FILE` also writes every figure.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from pathlib import Path

import trio

from tests.bench import own, real
from tests.bench.fake_field import bench as fake_bench
from tests.bench.field import Scale
from tests.bench.field import field as real_field
from tests.bench.measures import Report, table
from tests.cli_binary import find_cli

# Above it something else takes a good part of a core.
QUIET_LOAD = 0.5


def machine() -> dict[str, object]:
    """What one must know to compare two runs."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    cpu = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    version = subprocess.check_output([find_cli(), "--version"], text=True).strip()
    return {
        "cpu": cpu,
        "cores": len(os.sched_getaffinity(0)),
        "system": platform.platform(),
        "python": platform.python_version(),
        "trio": trio.__version__,
        "cli": version,
        "load_before": os.getloadavg()[0],
        "date": time.strftime("%Y-%m-%d %H:%M", time.gmtime()),
    }


async def run(names: list[str], report: Report, scale: Scale, requests: int) -> None:
    async def each(step: object, name: str) -> None:
        began = time.monotonic()
        await step  # type: ignore[misc]
        sys.stderr.write(f"{name}: {time.monotonic() - began:.0f} s\n")

    chosen_real = [name for name in real.SCENARIOS if name in names]
    if chosen_real:
        async with real_field(find_cli(), report, scale) as field:
            for name in chosen_real:
                await each(real.SCENARIOS[name](field), name)
    chosen_own = [name for name in own.SCENARIOS if name in names]
    if chosen_own:
        async with fake_bench(report, scale, requests) as bench:
            bench.note_rss("after the start")
            for name in chosen_own:
                await each(own.SCENARIOS[name](bench), name)


def main() -> int:
    every = [*real.SCENARIOS, *own.SCENARIOS]
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__.split("\n\n")[0])
    parser.add_argument("--only", nargs="+", choices=every, default=every, metavar="NAME", help=", ".join(every))
    parser.add_argument("--samples", type=int, default=20, help="samples of a latency (default 20)")
    parser.add_argument("--seconds", type=float, default=5.0, help="length of one throughput measurement (default 5)")
    parser.add_argument("--requests", type=int, default=5000, help="for the memory scenario (the full test: 100000)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write every figure here")
    arguments = parser.parse_args()
    report = Report(machine())
    if os.getloadavg()[0] > QUIET_LOAD:
        sys.stderr.write("the machine is busy: the figures will tell of that, not of the gateway\n")
    scale = Scale(arguments.samples, arguments.seconds)
    try:
        trio.run(run, arguments.only, report, scale, arguments.requests)
    finally:
        sys.stdout.write("\n".join(f"- {name}: {value}" for name, value in report.machine.items()) + "\n\n")
        sys.stdout.write(table(report))
        if arguments.json is not None:
            arguments.json.write_text(json.dumps(report.as_json(), indent=1))
    return 0 if all(target.reached for target in report.targets) else 1


if __name__ == "__main__":
    sys.exit(main())
