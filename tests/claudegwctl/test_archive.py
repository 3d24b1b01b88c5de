from __future__ import annotations

import io
import resource
import signal
import sqlite3
import tarfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from claudegwctl.archive import ASIDE_SUFFIX, Places, back_up, restore
from claudegwctl.problems import Problem
from claudegwd.atomic import locked


def places(folder: Path) -> Places:
    return Places(folder / "etc/config.toml", folder / "etc/keys.json", folder / "state/state.db")


def filled(folder: Path) -> Places:
    found = places(folder)
    for path in found.named().values():
        path.parent.mkdir(parents=True, exist_ok=True)
    found.config.write_text("[workers]\nmax = 3\n")
    found.keys.write_text('{"claude_api_keys": []}')
    found.state.with_name("seal.key").write_bytes(b"32 bytes of a false key")
    with sqlite3.connect(found.state) as state:
        state.execute("PRAGMA journal_mode = WAL")
        state.execute("CREATE TABLE t (n)")
        state.execute("INSERT INTO t VALUES (42)")
    return found


def test_there_and_back_while_the_state_is_in_use(tmp_path: Path) -> None:
    first, target = filled(tmp_path / "a"), tmp_path / "backup.tar"
    using = sqlite3.connect(first.state)
    using.execute("SELECT * FROM t")
    assert back_up(first, target, "1") == ["config.toml", "keys.json", "seal.key", "state.db"]
    using.close()
    assert target.stat().st_mode & 0o777 == 0o600
    second = places(tmp_path / "b")
    assert set(restore(target, second)) == {"config.toml", "keys.json", "seal.key", "state.db"}
    modes = {name: path.stat().st_mode & 0o777 for name, path in second.named().items()}
    # The configuration is read by the service's user as well.
    assert modes == {"config.toml": 0o644, "keys.json": 0o600, "state.db": 0o600, "seal.key": 0o600}
    assert second.named()["seal.key"].read_bytes() == b"32 bytes of a false key"
    assert second.config.read_text() == first.config.read_text()
    with sqlite3.connect(second.state) as state:
        assert state.execute("SELECT n FROM t").fetchall() == [(42,)]


def test_what_lay_there_is_kept_each_time(tmp_path: Path) -> None:
    found, target = filled(tmp_path), tmp_path / "backup.tar"
    back_up(found, target, "1")
    found.config.chmod(0o640)
    for number, text in enumerate(("# one\n", "# two\n")):
        found.config.write_text(text)
        done = restore(target, found)
        assert found.config.read_text() == "[workers]\nmax = 3\n"
        assert found.config.stat().st_mode & 0o777 == 0o640
        kept = done["config.toml"].kept
        assert kept is not None
        assert (kept.read_text(), kept.name) == (text, f"config.toml{ASIDE_SUFFIX}{'.2' * number}")
        assert done["keys.json"].kept is None, "it is what the archive says"


def test_the_state_that_lay_there_keeps_its_last_transactions(tmp_path: Path) -> None:
    found, target = filled(tmp_path), tmp_path / "backup.tar"
    back_up(found, target, "1")
    copied = tmp_path / "killed"
    copied.mkdir()
    with closing(sqlite3.connect(found.state, isolation_level=None)) as state:
        state.execute("PRAGMA wal_autocheckpoint = 0")
        state.execute("UPDATE t SET n = 43")
        for path in found.state.parent.iterdir():  # as a daemon that is killed leaves it
            (copied / path.name).write_bytes(path.read_bytes())
    here = Places(found.config, found.keys, copied / "state.db")
    kept = restore(target, here)["state.db"].kept
    for path, value in ((here.state, 42), (kept, 43)):
        assert path is not None
        with closing(sqlite3.connect(path)) as state:
            assert state.execute("SELECT n FROM t").fetchall() == [(value,)]


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    found, target = filled(tmp_path), tmp_path / "backup.tar"
    back_up(found, target, "1")
    found.config.rename(tmp_path / "mine.toml")
    found.config.symlink_to(tmp_path / "mine.toml")
    (tmp_path / "mine.toml").write_text("# later\n")
    restore(target, found)
    assert found.config.is_symlink()
    assert (tmp_path / "mine.toml").read_text() == "[workers]\nmax = 3\n"


def test_a_state_in_use_is_left_alone(tmp_path: Path) -> None:
    found, target = filled(tmp_path), tmp_path / "backup.tar"
    back_up(found, target, "1")
    found.config.write_text("# of the one that runs\n")
    with locked(found.state.with_name("state.lock")), pytest.raises(Problem, match=r"^cannot restore: .*stop it first"):
        restore(target, found)
    assert found.config.read_text() == "# of the one that runs\n"


@contextmanager
def small_files() -> Iterator[None]:
    """As on a disk that is nearly full."""
    before, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


def test_half_a_backup_is_none(tmp_path: Path) -> None:
    found, target = filled(tmp_path), tmp_path / "backup.tar"
    found.state.unlink()
    with small_files(), pytest.raises(Problem, match=r"^cannot write .*: File too large"):
        back_up(found, target, "1")
    assert not target.exists()


def test_half_a_restore_says_what_was_done_and_loses_nothing(tmp_path: Path) -> None:
    found, target = filled(tmp_path), tmp_path / "backup.tar"
    found.keys.write_text(f'{{"claude_api_keys": []}}{" " * 2000}')
    back_up(found, target, "1")
    found.config.write_text("# later\n")
    found.keys.write_text("{}")
    with (
        small_files(),
        pytest.raises(Problem, match=rf"^cannot write {found.keys}: .*; config.toml had already been restored"),
    ):
        restore(target, found)
    assert found.keys.read_text() == "{}"


def test_nothing_is_overwritten_and_nothing_is_no_backup(tmp_path: Path) -> None:
    found = filled(tmp_path)
    (tmp_path / "there").write_text("mine")
    with pytest.raises(Problem, match=r"already exists"):
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
     _tar(("claudegwd-backup.json", b"[]")), _tar(("claudegwd-backup.json", b"[" * 100_000)),
     _tar(("claudegwd-backup.json", b'{"format": 2}'))],
)  # fmt: skip
def test_what_is_no_backup(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "x").write_bytes(data)
    with pytest.raises(Problem, match=r"^cannot restore "):
        restore(tmp_path / "x", places(tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


def test_names_in_an_archive_lead_nowhere(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(_tar(("claudegwd-backup.json", b'{"format": 1}'), ("../evil", b"!"), ("/evil", b"!")))
    with pytest.raises(Problem, match="it is empty"):
        restore(tmp_path / "x", places(tmp_path / "in"))
    assert [path.name for path in tmp_path.iterdir()] == ["x"]
