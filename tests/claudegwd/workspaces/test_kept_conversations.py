"""Kept conversations: found by whom they belong to and nobody else, bounded, sealed, and gone in time."""

from __future__ import annotations

import threading
from pathlib import Path

import msgspec
import pytest
import trio

from claudegwd.config.schema import WorkspaceConfig
from claudegwd.store.sealing import Seal
from claudegwd.workspaces import kept_conversations as bounds
from claudegwd.workspaces.kept_conversations import KeptConversation, KeptConversations, rules_of, surplus

SEAL = Seal(bytes(32))
KEPT = KeptConversation("id-1", "-srv-shop", "shop", b"rules", "webui", "owner-1", b"digest-1", 0.0)


def made(number: int, **more: object) -> KeptConversation:
    fields = {"ident": f"id-{number}", "digest": b"digest-%d" % number, "used": float(number), **more}
    return msgspec.structs.replace(KEPT, **fields)


def store(directory: Path | None, seal: Seal = SEAL) -> KeptConversations:
    found = KeptConversations(directory, seal, lambda: 100.0)
    found.may_stay = lambda kept: kept.workspace == "shop"
    return found


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in (directory / bounds.DIRECTORY).iterdir())


async def test_it_is_read_again_by_the_next_daemon(tmp_path: Path) -> None:
    await store(tmp_path).keep(KEPT, b"words of a client")
    [file] = (tmp_path / bounds.DIRECTORY).iterdir()
    assert b"words" not in file.read_bytes()
    assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    later = store(tmp_path)
    await later.load()
    found = later.take("shop", "owner-1", [b"digest-9", b"digest-1"])
    assert found is not None
    assert (found.used, found.size) == (100.0, file.stat().st_size)
    session = await later.read(found)
    assert session is not None
    assert (session.ident, session.folder, session.transcript) == ("id-1", "-srv-shop", b"words of a client")
    assert later.total() == later.total("shop") == {"count": 1, "bytes": found.size}
    assert later.total("other") == {"count": 0, "bytes": 0}


async def test_whose_it_is(tmp_path: Path) -> None:
    kept = store(tmp_path)
    await kept.keep(KEPT, b"x")
    assert kept.take("shop", "owner-2", [b"digest-1"]) is None
    assert kept.take("other", "owner-1", [b"digest-1"]) is None
    assert kept.take("shop", "owner-1", [b"digest-2"]) is None
    assert kept.take("shop", "owner-1", [b"digest-1"]) is not None
    assert kept.take("shop", "owner-1", [b"digest-1"]) is None  # somebody goes on from it already
    kept.release("id-1")
    kept.may_stay = lambda _: False
    assert kept.take("shop", "owner-1", [b"digest-1"]) is None


async def test_the_next_answer_takes_its_place(tmp_path: Path) -> None:
    kept = store(tmp_path)
    await kept.keep(KEPT, b"one")
    await kept.keep(made(1, digest=b"digest-2"), b"two")
    assert names(tmp_path) == ["id-1"]
    assert kept.take("shop", "owner-1", [b"digest-1"]) is None
    found = kept.take("shop", "owner-1", [b"digest-2"])
    assert found is not None
    # The same conversation, held a second time: the newer one is kept.
    kept.release("id-1")
    await kept.keep(made(2, digest=b"digest-2"), b"three")
    assert names(tmp_path) == ["id-2"]


async def test_what_may_not_stay_goes(tmp_path: Path) -> None:
    kept = store(tmp_path)
    await kept.keep(made(1), b"x")
    await kept.keep(made(2), b"x")
    await kept.keep(made(3, workspace="other"), b"x")
    assert names(tmp_path) == ["id-1", "id-2"]
    kept.may_stay = lambda each: each.ident == "id-2"
    await kept.sweep()
    assert names(tmp_path) == ["id-2"]
    nobody = KeptConversations(tmp_path, SEAL)
    await nobody.load()  # no workspace has sessions
    assert names(tmp_path) == []


class SlowSeal(Seal):
    """Stands for a disk that hangs: nothing is written before `goes_on` is set."""

    goes_on: threading.Event

    def lock(self, data: bytes, purpose: bytes) -> bytes:
        assert self.goes_on.wait(30)
        return super().lock(data, purpose)


@pytest.mark.parametrize("stays", [True, False])
async def test_a_write_that_takes_too_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stays: bool) -> None:
    """It is not waited for; its conversation goes on with nobody before it is written, and goes with its client."""
    monkeypatch.setattr(bounds, "FILE_SECONDS", 0.05)
    seal = SlowSeal(bytes(32))
    seal.goes_on = threading.Event()
    kept = store(tmp_path, seal)
    await kept.keep(KEPT, b"words")
    assert kept.total() == {"count": 1, "bytes": 5}
    assert kept.take("shop", "owner-1", [b"digest-1"]) is None
    if not stays:
        kept.may_stay = lambda _: False
        await kept.sweep()
    seal.goes_on.set()
    with trio.fail_after(10):
        while kept._writing:  # a thread that nobody waits for
            await trio.sleep(0.01)
    assert names(tmp_path) == (["id-1"] if stays else [])
    assert (kept.take("shop", "owner-1", [b"digest-1"]) is not None) == stays


async def test_what_cannot_be_read_goes(tmp_path: Path) -> None:
    await store(tmp_path).keep(KEPT, b"x")
    place = tmp_path / bounds.DIRECTORY
    (place / "id-2").write_bytes(b"\xff\xff\xff\xff garbage")
    (place / "id-3").write_bytes((place / "id-1").read_bytes())  # under another name
    (place / ".id-1.tmp").write_bytes(b"half")
    kept = store(tmp_path)
    await kept.load()
    assert names(tmp_path) == ["id-1"]
    (place / "id-1").write_bytes((place / "id-1").read_bytes()[:-1])
    found = kept.take("shop", "owner-1", [b"digest-1"])
    assert found is not None
    assert await kept.read(found) is None
    assert names(tmp_path) == []
    await store(tmp_path).keep(KEPT, b"x")
    await store(tmp_path, Seal(b"1" * 32)).load()  # another key
    assert names(tmp_path) == []


async def test_nowhere_to_write(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    nowhere = store(None)
    await nowhere.load()
    await nowhere.keep(KEPT, b"x")
    assert nowhere.total() == {"count": 0, "bytes": 0}
    (tmp_path / bounds.DIRECTORY).write_text("no directory")
    await store(tmp_path).keep(KEPT, b"x")
    assert "a workspace conversation cannot be kept" in caplog.text


def test_the_oldest_are_too_many() -> None:
    kept = [made(number, client=f"c{number % 9}") for number in range(bounds.MAX_KEPT + 3)]
    assert [each.ident for each in surplus(kept)] == ["id-2", "id-1", "id-0"]
    of_one = [made(number) for number in range(bounds.MAX_KEPT_OF_CLIENT + 1)]
    assert [each.ident for each in surplus([*of_one, made(0, client="other", ident="id-x")])] == ["id-0"]
    large = [made(number, size=bounds.MAX_KEPT_BYTES // 2) for number in range(3)]
    assert [each.ident for each in surplus(large)] == ["id-0"]


def test_a_workspace_that_was_changed_is_another() -> None:
    one = WorkspaceConfig(directory="/srv/shop", sessions=True)
    assert rules_of(one, "/srv/shop") == rules_of(WorkspaceConfig(directory="/srv/shop", sessions=True), "/srv/shop")
    others = [(msgspec.structs.replace(one, deny=("Read(.env)",)), "/srv/shop"), (one, "/srv/elsewhere")]
    assert all(rules_of(*other) != rules_of(one, "/srv/shop") for other in others)
