from __future__ import annotations

import stat
from pathlib import Path

import trio

from claudegwd.store.response_files import DIRECTORY, ResponseFiles
from claudegwd.store.responses import UNSTORED, KeptResponse, KeptResponses
from claudegwd.store.sealing import Seal

NOW = 1_800_000_000.0
SEAL = Seal(b"k" * 32)


def kept(ident: str, previous: str | None = None) -> KeptResponse:
    return KeptResponse(ident, previous, b'{"output":[{"id":"o"}],"said":"xyzzy"}', b'[{"id":"i"}]', ("i", "o"))


async def begun(
    directory: Path, *, wanted: bool = True, seal: Seal = SEAL, at: float = NOW, monotonic: float = 100.0
) -> tuple[ResponseFiles, KeptResponses]:
    files, responses = ResponseFiles(directory, lambda: at), KeptResponses()
    await files.start(responses, seal, monotonic, wanted=wanted)
    return files, responses


def on_disk(directory: Path) -> list[Path]:
    return sorted((directory / DIRECTORY).glob("*"))


async def test_they_outlive_a_restart_sealed_and_for_us_alone(tmp_path: Path) -> None:
    files, responses = await begun(tmp_path)
    responses.keep("alice", kept("resp_1"), 100.0)
    responses.keep("alice", kept("resp_2", "resp_1"), 100.0)
    responses.keep(f"{UNSTORED}1", kept("resp_3"), 100.0)
    assert await files.flush()
    found = on_disk(tmp_path)
    assert len(found) == 2, "what is not to be stored is not"
    assert {stat.S_IMODE(one.stat().st_mode) for one in (*found, tmp_path / DIRECTORY)} == {0o600, 0o700}
    assert not any(word in one.read_bytes() + one.name.encode() for one in found for word in (b"xyzzy", b"alice"))
    _, again = await begun(tmp_path)
    assert again.get("alice", "resp_2", 100.0) == kept("resp_2", "resp_1")
    assert again.get("bob", "resp_2", 100.0) is None
    assert again.place("alice", "i")


async def test_those_that_go_are_removed(tmp_path: Path) -> None:
    files, responses = await begun(tmp_path)
    responses.keep("alice", kept("resp_1"), 100.0)
    await files.flush()
    responses.delete("alice", "resp_1")
    await files.flush()
    assert on_disk(tmp_path) == []


async def test_the_time_counts_over_a_restart(tmp_path: Path) -> None:
    files, responses = await begun(tmp_path)
    responses.keep("alice", kept("resp_1"), 100.0)
    await files.flush()
    _, later = await begun(tmp_path, at=NOW + 80_000, monotonic=5.0)
    assert later.get("alice", "resp_1", 5.0 + 6_000) is not None
    _, later = await begun(tmp_path, at=NOW + 80_000, monotonic=5.0)
    assert later.get("alice", "resp_1", 5.0 + 7_000) is None


async def test_the_time_counts_over_many_restarts_and_nothing_is_written_again(tmp_path: Path) -> None:
    files, responses = await begun(tmp_path)
    responses.keep("alice", kept("resp_1"), 100.0)
    await files.flush()
    written = [one.stat().st_ino for one in on_disk(tmp_path)]
    for hours in (10, 20):
        files, later = await begun(tmp_path, at=NOW + hours * 3600, monotonic=5.0)
        await files.flush()
        assert later.get("alice", "resp_1", 5.0) is not None
    assert [one.stat().st_ino for one in on_disk(tmp_path)] == written
    _, later = await begun(tmp_path, at=NOW + 30 * 3600, monotonic=5.0)
    assert later.get("alice", "resp_1", 5.0) is None


async def test_what_a_cancelled_write_took_out_is_written_later(tmp_path: Path) -> None:
    files, responses = await begun(tmp_path)
    responses.keep("alice", kept("resp_1"), 100.0)
    with trio.CancelScope() as scope:
        scope.cancel()
        await files.flush()
    assert on_disk(tmp_path) == []
    await files.flush()
    assert len(on_disk(tmp_path)) == 1


async def test_an_operator_who_wants_none_has_none(tmp_path: Path) -> None:
    files, responses = await begun(tmp_path)
    responses.keep("alice", kept("resp_1"), 100.0)
    await files.flush()
    files.configure(wanted=False)
    await files.flush()
    assert on_disk(tmp_path) == []
    files.configure(wanted=True)
    await files.flush()
    assert len(on_disk(tmp_path)) == 1, "those that are kept go to the disk as well"
    files, _ = await begun(tmp_path, wanted=False)
    await files.flush()
    assert on_disk(tmp_path) == []


async def test_what_cannot_be_opened_goes(tmp_path: Path) -> None:
    files, responses = await begun(tmp_path)
    responses.keep("alice", kept("resp_1"), 100.0)
    await files.flush()
    (tmp_path / DIRECTORY / "torn").write_bytes(b"x")
    _, again = await begun(tmp_path, seal=Seal(b"l" * 32))
    assert again.every() == []
    assert on_disk(tmp_path) == []


async def test_a_directory_among_them_stops_nothing(tmp_path: Path) -> None:
    files, responses = await begun(tmp_path)
    responses.keep("alice", kept("resp_1"), 100.0)
    await files.flush()
    for name in ("lost+found", "x.tmp"):
        (tmp_path / DIRECTORY / name).mkdir()
    files, again = await begun(tmp_path)
    assert again.get("alice", "resp_1", 100.0) is not None
    files.configure(wanted=False)
    assert await files.flush()
    assert [one.name for one in on_disk(tmp_path)] == ["lost+found", "x.tmp"]


async def test_a_place_that_is_no_directory_is_tried_again(tmp_path: Path) -> None:
    files, responses = await begun(tmp_path)
    (tmp_path / DIRECTORY).touch()
    responses.keep("alice", kept("resp_1"), 100.0)
    assert not await files.flush()
    (tmp_path / DIRECTORY).unlink()
    assert await files.flush()
    assert len(on_disk(tmp_path)) == 1
