from __future__ import annotations

import io
import sqlite3
import tarfile
from pathlib import Path

import pytest

from claudegwctl.archive import ASIDE_SUFFIX, Places, back_up, restore
from claudegwctl.problems import Problem


def places(folder: Path) -> Places:
    return Places(folder / "etc/config.toml", folder / "etc/keys.json", folder / "state/state.db")


def filled(folder: Path) -> Places:
    found = places(folder)
    for path in found.named().values():
        path.parent.mkdir(parents=True, exist_ok=True)
    found.config.write_text("[workers]\nmax = 3\n")
    found.keys.write_text('{"claude_api_keys": []}')
    with sqlite3.connect(found.state) as state:
        state.execute("PRAGMA journal_mode = WAL")
        state.execute("CREATE TABLE t (n)")
        state.execute("INSERT INTO t VALUES (42)")
    return found


def test_there_and_back_while_the_state_is_in_use(tmp_path: Path) -> None:
    first, target = filled(tmp_path / "a"), tmp_path / "backup.tar"
    using = sqlite3.connect(first.state)
    using.execute("SELECT * FROM t")
    assert back_up(first, target, "1") == ["config.toml", "keys.json", "state.db"]
    using.close()
    assert target.stat().st_mode & 0o777 == 0o600
    second = places(tmp_path / "b")
    assert set(restore(target, second)) == {"config.toml", "keys.json", "state.db"}
    assert second.config.read_text() == first.config.read_text()
    assert second.keys.stat().st_mode & 0o777 == 0o600
    with sqlite3.connect(second.state) as state:
        assert state.execute("SELECT n FROM t").fetchall() == [(42,)]


def test_what_lay_there_is_kept_and_its_journal_is_not(tmp_path: Path) -> None:
    found, target = filled(tmp_path), tmp_path / "backup.tar"
    back_up(found, target, "1")
    found.config.write_text("# newer\n")
    journal = found.state.with_name("state.db-wal")
    journal.write_bytes(b"of another state")
    restore(target, found)
    assert found.config.read_text() == "[workers]\nmax = 3\n"
    assert found.config.with_name("config.toml" + ASIDE_SUFFIX).read_text() == "# newer\n"
    assert not journal.exists()


def test_nothing_is_overwritten_and_nothing_is_no_backup(tmp_path: Path) -> None:
    found = filled(tmp_path)
    (tmp_path / "there").write_text("mine")
    with pytest.raises(Problem, match=r"there is such a file"):
        back_up(found, tmp_path / "there", "1")
    assert (tmp_path / "there").read_text() == "mine"
    with pytest.raises(Problem, match=r"^cannot back up: "):
        back_up(places(tmp_path / "empty"), tmp_path / "x", "1")


def _tar(*members: tuple[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, data in members:
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return out.getvalue()


@pytest.mark.parametrize(
    "data",
    [b"", b"x" * 2000, _tar(("config.toml", b"")), _tar(("claudegwd-backup.json", b"{")),
     _tar(("claudegwd-backup.json", b'{"format": 2}'))],
)  # fmt: skip
def test_what_is_no_backup(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "x").write_bytes(data)
    with pytest.raises(Problem, match=r"^cannot restore "):
        restore(tmp_path / "x", places(tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


def test_names_in_an_archive_lead_nowhere(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(_tar(("claudegwd-backup.json", b'{"format": 1}'), ("../evil", b"!"), ("/evil", b"!")))
    assert restore(tmp_path / "x", places(tmp_path / "in")) == {}
    assert [path.name for path in tmp_path.iterdir()] == ["x"]
