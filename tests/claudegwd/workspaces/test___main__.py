from __future__ import annotations

import json
from pathlib import Path

import pytest

from claudegwd.workspaces.__main__ import main


def test_rows_or_all_errors(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "config.toml"
    work = tmp_path / "work"
    work.mkdir()
    file.write_text(f'[workspaces.a]\ndirectory = "{work}"\n')
    main([str(file)])
    found = json.loads(capsys.readouterr().out)
    assert (found["path"], found["errors"], [row["name"] for row in found["workspaces"]]) == (str(file), [], ["a"])
    file.write_text('[workspaces.a]\ndirectory = "/x"\notherwise = "x"\n[workspaces.b]\nmax_turns = 5\n')
    main([str(file)])
    found = json.loads(capsys.readouterr().out)
    assert len(found["errors"]) == 2
    assert all(error.startswith(f"cannot use {file}: workspaces.") for error in found["errors"])
    assert found["workspaces"] == []
