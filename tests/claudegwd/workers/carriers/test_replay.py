"""What is written for a conversation, and in which order."""

from typing import Any

import msgspec
import pytest

from claudegwd.openai_api.bounds import Bounds
from claudegwd.openai_api.chat.request import parse_chat_request
from claudegwd.translate.request.catalogue import offered
from claudegwd.translate.request.plan import Plan, make_plan
from claudegwd.workers.carriers.replay import replay
from claudegwd.workers.carriers.transcript import Transcript

MODEL = "claude-sonnet-4-20250514"


def plan(*messages: dict[str, Any]) -> Plan:
    body = msgspec.json.encode({"model": MODEL, "messages": messages})
    return make_plan(parse_chat_request(body, Bounds()), offered((), (), {})[MODEL], "a")


class Paper:
    """Takes what is appended, as a worker does, and acknowledges it at once."""

    def __init__(self) -> None:
        self.writes: list[bytes] = []
        self.transcript = Transcript()

    async def append(self, lines: bytes) -> None:
        self.writes.append(lines)


def shown(lines: bytes) -> list[tuple[str, bool, Any]]:
    """Role, whether it asks, and the texts of each line."""
    found = []
    for line in lines.splitlines():
        value = msgspec.json.decode(line)
        content = value["message"]["content"]
        texts = [block["text"] for block in content] if isinstance(content, list) else content
        found.append((value["type"], value.get("shouldQuery", True) and value["type"] == "user", texts))
    return found


def said(role: str, text: str) -> dict[str, Any]:
    return {"role": role, "content": text}


async def written(wanted: Plan, held: int = 0) -> list[list[tuple[str, bool, Any]]]:
    paper = Paper()
    rest = await replay(paper, wanted, held)  # type: ignore[arg-type] # it only appends
    return [shown(lines) for lines in [*paper.writes, rest]]


async def test_each_user_message_waits_and_an_answer_goes_with_the_next() -> None:
    wanted = plan(
        said("user", "1"), said("assistant", "2"), said("user", "3"), said("assistant", "4"), said("user", "5")
    )
    assert await written(wanted) == [
        [("user", False, ["1"])],
        [("assistant", False, ["2"]), ("user", False, ["3"])],
        [("assistant", False, ["4"]), ("user", True, ["5"])],
    ]


async def test_what_the_worker_holds_is_not_written_again() -> None:
    wanted = plan(said("user", "1"), said("assistant", "2"), said("user", "3"))
    assert await written(wanted, held=2) == [[("user", True, ["3"])]]


async def test_a_last_word_of_the_model_is_put_in_its_mouth() -> None:
    wanted = plan(said("user", "1"), said("assistant", "2"))
    assert await written(wanted) == [[("user", False, ["1"])], [("assistant", False, ["2"]), ("user", True, [])]]


@pytest.mark.parametrize("text", ["(no content)", " (no content)\n"])
async def test_an_answer_that_the_cli_would_leave_out_goes_in_two_blocks(text: str) -> None:
    wanted = plan(said("user", "1"), said("assistant", text), said("user", "3"))
    (_, (answer, _)) = await written(wanted)
    assert len(answer[2]) == 2
    assert "".join(answer[2]) == text


async def test_the_transcript_knows_each_entry_and_the_uuid_of_each_user_line() -> None:
    wanted = plan(said("user", "1"), said("assistant", "2"), said("user", "3"))
    paper = Paper()
    lines = [*(await replay(paper, wanted, 0)).splitlines(), *paper.writes]  # type: ignore[arg-type]
    assert paper.transcript.digests == [entry.digest for entry in wanted.entries]
    uuids = {value["uuid"] for value in map(msgspec.json.decode, lines) if value["type"] == "user"}
    assert uuids == {uuid for uuid in paper.transcript.uuids if uuid is not None}
    assert [uuid is None for uuid in paper.transcript.uuids] == [False, True, False]
