"""From where a process goes on: what is kept of this history, and of no other."""

from __future__ import annotations

from pathlib import Path

from claudegwd.limits.clients import Client
from claudegwd.store.sealing import Seal
from claudegwd.translate.answer.answer import Answer
from claudegwd.translate.answer.outputs import After, Finished, TextPiece, TokenCount
from claudegwd.workspaces.cli_session import CliSession, put_transcript
from claudegwd.workspaces.continuation import Continuation
from claudegwd.workspaces.kept_conversations import KeptConversations
from tests.claudegwd.workspaces.test_transcript import plan

CLIENT = Client("webui", b"", identity="owner-1")
# As the plans of the test for transcripts name their messages.
SAID = b'{"type":"assistant","message":{"content":[{"type":"text","text":"assistant 1"}]}}\n'


def answer(reason: str = "stop") -> Answer:
    made = Answer()
    made.add([TextPiece(b'"assistant 1"'), Finished(reason, TokenCount(), After.KILL)])
    return made


def store(directory: Path) -> KeptConversations:
    kept = KeptConversations(directory, Seal(bytes(32)))
    kept.may_stay = lambda _: True
    return kept


async def begun(kept: KeptConversations, *roles: str, owner: str = "owner-1") -> Continuation:
    found = Continuation(kept, b"rules", wanted=True)
    await found.find(plan(*roles), owner)
    return found


async def kept_of(kept: KeptConversations, home: Path, made: Answer, *, bound: str = "", written: bytes = SAID) -> None:
    """A process answers the first message, and ends."""
    first = await begun(kept, "user")
    assert not first.is_resumed
    assert first.session.ident
    put_transcript(home, CliSession(first.session.ident, "-srv-shop", written))
    first.answered(plan("user"), made, bound=bound)
    await first.keep(home, "", CLIENT)
    first.release()


async def test_the_next_message_goes_on_there(tmp_path: Path) -> None:
    kept = store(tmp_path)
    await kept_of(kept, tmp_path / "home", answer())
    later = await begun(kept, "user", "assistant", "user", "assistant", "user")
    assert (later.is_resumed, later.held, later.session.transcript) == (True, 2, SAID)
    assert not (await begun(kept, "user", "assistant", "user")).is_resumed  # one goes on there already
    later.release()
    assert not (await begun(kept, "user", "assistant", "user", owner="owner-2")).is_resumed
    assert not (await begun(kept, "user", "user", "assistant", "user")).is_resumed  # another history
    again = await begun(kept, "user", "assistant", "user")
    assert again.is_resumed
    before = again.session.ident
    await again.give_up()
    assert (again.is_resumed, again.held) == (False, 0)
    assert again.session.ident not in ("", before)
    assert kept.total()["count"] == 0


async def test_what_is_not_kept(tmp_path: Path) -> None:
    asked = b'{"type":"user","message":{"content":"user 0"}}\n'
    for number, (made, bound, written, count) in enumerate(
        (
            (answer(), "", asked, 0),  # killed before it had written all
            (answer("length"), "", SAID, 0),
            (answer("length"), "seconds", SAID, 0),
            (Answer(), "", SAID, 0),
            (answer("length"), "max_turns", asked, 1),
        )
    ):
        kept = store(tmp_path / f"state-{number}")
        await kept_of(kept, tmp_path / f"home-{number}", made, bound=bound, written=written)
        assert kept.total()["count"] == count, number


async def test_while_an_answer_is_under_way_nothing_is_kept(tmp_path: Path) -> None:
    kept = store(tmp_path)
    process = await begun(kept, "user")
    put_transcript(tmp_path / "home", CliSession(process.session.ident, "-srv-shop", SAID))
    process.answered(plan("user"), answer(), bound="")
    process.begun()
    await process.keep(tmp_path / "home", "", CLIENT)
    assert kept.total()["count"] == 0


async def test_a_workspace_without_sessions(tmp_path: Path) -> None:
    process = Continuation(store(tmp_path), b"rules", wanted=False)
    await process.find(plan("user"), "owner-1")
    assert process.session == CliSession()
    process.answered(plan("user"), answer(), bound="")
    await process.keep(tmp_path, "", CLIENT)
    assert list(tmp_path.iterdir()) == []
