"""What the daemon made at its start is kept from the garbage collector, whose full collections stop every answer."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import trio

from claudegwd.demo.replies import echo
from tests.e2e.harness import running
from tests.fake_binary import write_fake_cli

# Runs what follows as `python -m` would, and says at the end how many objects the collector passes over.
TELLING = """
import atexit, gc, runpy, sys
atexit.register(lambda: print("frozen objects:", gc.get_freeze_count(), file=sys.stderr))
sys.argv = sys.argv[3:]
runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
"""


async def test_what_was_made_at_the_start_is_frozen(tmp_path: Path) -> None:
    cli = write_fake_cli(tmp_path)
    config = '[claude]\nmodels = ["fake-echo-1"]\n'
    async with running(echo(), config=config, cli=cli, under=(sys.executable, "-c", TELLING)) as gateway:
        assert (await gateway.ask("Hello.", model="fake-echo-1")).text
        await trio.to_thread.run_sync(gateway.daemon.end)
        [count] = re.findall("frozen objects: ([0-9]+)", gateway.log)
        assert int(count) > 10_000
        await trio.to_thread.run_sync(gateway.daemon.start)  # the harness stops it
