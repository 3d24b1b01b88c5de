import base64
import stat
from pathlib import Path

import pytest

from claudegwd.contract import SEAL_NAME
from claudegwd.store.sealing import PREFIX, Seal, load_seal

TEXT = "What was done: 😀 \ud83d"


def test_what_was_sealed_is_read_by_its_owner_and_by_nobody_else() -> None:
    seal = Seal(b"k" * 32)
    sealed = seal.seal("alice", TEXT)
    assert seal.unseal("alice", sealed) == TEXT
    assert seal.unseal("bob", sealed) is None
    assert Seal(b"l" * 32).unseal("alice", sealed) is None
    assert "What" not in base64.urlsafe_b64decode(sealed.removeprefix(PREFIX)).decode("latin-1")
    assert seal.seal("alice", TEXT) != sealed


def test_every_changed_byte_is_seen() -> None:
    seal = Seal(b"k" * 32)
    sealed = seal.seal("alice", "short")
    data = bytearray(base64.urlsafe_b64decode(sealed.removeprefix(PREFIX)))
    for index in range(len(data)):
        data[index] ^= 1
        assert seal.unseal("alice", PREFIX + base64.urlsafe_b64encode(data).decode()) is None
        data[index] ^= 1


@pytest.mark.parametrize("text", ["", "x", PREFIX, PREFIX + "AAAA", PREFIX + "not base64!", PREFIX + "é", "gAAAAB" * 9])
def test_what_was_never_sealed_is_nothing(text: str) -> None:
    assert Seal(b"k" * 32).unseal("alice", text) is None


def test_the_key_is_made_once_for_us_alone_and_found_again(tmp_path: Path) -> None:
    sealed = load_seal(tmp_path).seal("alice", TEXT)
    assert load_seal(tmp_path).unseal("alice", sealed) == TEXT
    path = tmp_path / SEAL_NAME
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [found.name for found in tmp_path.iterdir()] == [SEAL_NAME]


@pytest.mark.parametrize("broken", [b"", b"short", b"x" * 33])
def test_a_broken_key_is_left_as_it_is_and_another_serves_until_the_end(tmp_path: Path, broken: bytes) -> None:
    (tmp_path / SEAL_NAME).write_bytes(broken)
    seal = load_seal(tmp_path)
    assert seal.unseal("alice", seal.seal("alice", TEXT)) == TEXT
    assert (tmp_path / SEAL_NAME).read_bytes() == broken


def test_where_nothing_can_be_written_a_key_serves_until_the_end() -> None:
    seal = load_seal(None)
    assert seal.unseal("alice", seal.seal("alice", TEXT)) == TEXT
    assert load_seal(Path("/dev/null/none")).seal("alice", TEXT)


def test_bytes_of_our_own_are_opened_by_their_purpose_alone() -> None:
    seal = Seal(b"k" * 32)
    locked = seal.lock(b"xyzzy", b"one")
    assert b"xyzzy" not in locked
    assert seal.unlock(locked, b"one") == b"xyzzy"
    assert seal.unlock(locked, b"other") is None
    assert seal.unlock(locked[:-1], b"one") is None
    assert seal.unlock(b"", b"one") is None
    assert Seal(b"l" * 32).unlock(locked, b"one") is None
