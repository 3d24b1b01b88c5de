import json
import subprocess
import sys
from pathlib import Path

import pytest


def run(*arguments: str, home: Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "claudegwctl", *arguments]
    env = {"HOME": str(home), "PATH": "/usr/bin:/bin", "PYTHONPATH": str(Path(__file__).parents[3])}
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False)


def test_a_dry_run_says_each_step_with_its_undo_and_does_none(tmp_path: Path) -> None:
    done = run("install", "--user", "--dry-run", home=tmp_path)
    # Here it could be done, or there is no service manager; then it says so, and its status is that of the true one.
    said = run("install", "--user", home=tmp_path).stderr if done.stderr else ""
    assert (done.returncode, done.stderr) == (1 if said else 0, said)
    lines = done.stdout.splitlines()
    assert len(lines) % 2 == 0
    for does, undo in zip(lines[::2], lines[1::2], strict=True):
        assert does.startswith("would ")
        assert undo.strip().startswith("undo: ")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("option", "place"), [("--user", ".config/systemd/user"), ("--system", "/etc/systemd/system")])
@pytest.mark.skipif(sys.platform == "darwin", reason="macOS has other places")
def test_the_unit_goes_where_it_belongs(tmp_path: Path, option: str, place: str) -> None:
    found = json.loads(run("install", option, "--dry-run", "--json", home=tmp_path).stdout)
    does = [step["does"] for step in found["steps"]]
    assert found["system"] is (option == "--system")
    assert f"write {tmp_path / place / 'claudegwd.service'}" in does
    assert does[-1] == "start it"


def test_both_at_once_is_refused(tmp_path: Path) -> None:
    done = run("install", "--user", "--system", home=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("cannot combine --user and --system")
