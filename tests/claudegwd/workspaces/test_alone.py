from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from claudegwd.workspaces.alone import works_alone

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="it is /proc that is read")

# It says what is in a file, and stays: so it is known to have started.
TAIL = Path(shutil.which("tail") or "/usr/bin/tail")
STAYS = f"{TAIL} -n 1 -f $0"
SHELL = Path(shutil.which("sh") or "/bin/sh")


@contextmanager
def running(script: str, directory: Path) -> Iterator[int]:
    """A shell that has started what the script says, whose last part says so."""
    file = directory / "said"
    file.write_text("ready\n")
    line = [str(SHELL), "-c", script, str(file)]
    with subprocess.Popen(line, stdout=subprocess.PIPE, start_new_session=True) as shell:
        assert shell.stdout is not None
        assert shell.stdout.readline() == b"ready\n"
        try:
            yield shell.pid
        finally:
            subprocess.run(["kill", "-9", "--", f"-{shell.pid}"], check=True)


@pytest.mark.parametrize(
    ("script", "alone"),
    [
        (f"{STAYS} & wait", True),
        (f"{SHELL} -c '{STAYS} & wait' $0 & wait", True),  # behind two
        (f"{STAYS} & {STAYS} & wait", False),  # something beside it
        ("echo ready; read x", False),  # none of it
    ],
)
def test_a_chain_and_nothing_besides(tmp_path: Path, script: str, *, alone: bool) -> None:
    with running(script, tmp_path) as pid:
        assert works_alone(pid, TAIL) is alone


def test_one_that_has_gone_is_not(tmp_path: Path) -> None:
    with running(f"{STAYS} & wait", tmp_path) as pid:
        pass
    assert not works_alone(pid, TAIL)
