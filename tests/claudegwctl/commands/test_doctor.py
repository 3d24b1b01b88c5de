from __future__ import annotations

from pathlib import Path

import pytest

from claudegwctl.checks.finding import OK, Finding
from claudegwctl.commands.doctor import _show
from tests.control_cli import ctl
from tests.small_gateway import TOKENS, SmallGateway


async def test_a_daemon_that_runs(gateway: SmallGateway, socket: Path) -> None:
    done = await ctl(socket, "doctor", "--json")
    found = {finding["about"]: finding for finding in done.json["findings"]}
    assert found["daemon"]["says"] == f"claudegwd 1.2.3 is ready at {socket}"
    assert found["configuration"]["says"] == str(gateway.config_file)
    # The small gateway names a CLI and a port that are not there, and that is found.
    assert found["claude"]["level"] == "problem"
    assert found["claude"]["mend"].startswith("install the gateway with its extra `cli`")
    assert found["port"]["says"].startswith("127.0.0.1:8000 ")
    assert found["keys"] == {
        "about": "keys", "level": "ok", "says": "2 of 3 usable: primary, second", "mend": "",
    }  # fmt: skip
    assert done.status == 1
    assert done.json["problems"] >= 1
    assert not any(token in done.out for token in TOKENS)


async def test_a_reason_of_several_lines_stays_in_its_column(gateway: SmallGateway, socket: Path) -> None:
    gateway.config_file.write_text("[workers]\nmx = 1\n[sever]\n")
    lines = (await ctl(socket, "doctor")).out.splitlines()
    start = next(place for place, line in enumerate(lines) if line.startswith("PROBLEM configuration"))
    end = next(place for place, line in enumerate(lines) if "fix: correct the file; until then" in line)
    assert end - start > 1
    assert all(line.startswith(" " * 22) for line in lines[start + 1 : end + 1])


def test_a_long_name_is_set_apart_from_what_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    _show(Finding("cli parked tools", OK, "a process waits"))
    assert capsys.readouterr().out == "ok      cli parked tools a process waits\n"


async def test_no_daemon(nowhere: Path, tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("[workers]\nmx = 1\n[sever]\n")
    done = await ctl(nowhere, "doctor", CONFIGURATION_DIRECTORY=str(tmp_path))
    assert done.status == 1
    assert f"PROBLEM daemon        claudegwd is not running (no answer at {nowhere})" in done.out
    assert "PROBLEM configuration " in done.out
    assert "did you mean workers.max" in done.out
    assert "did you mean [server]" in done.out
    assert "fix: " in done.out
    assert done.out.splitlines()[-1].endswith(" problems")
