from __future__ import annotations

import base64
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claudegwctl.chatting.conversation import HELP, MAX_IMAGE_BYTES, Conversation, printable
from claudegwctl.problems import Problem

PNG = b"\x89PNG\r\n\x1a\n and more"


def test_what_was_said_goes_along() -> None:
    talk = Conversation("sonnet", "be brief")
    talk.answered("one", "1")
    body = talk.asked("two")
    assert body["messages"] == [
        {"role": "system", "content": "be brief"},
        {"role": "user", "content": "one"},
        {"role": "assistant", "content": "1"},
        {"role": "user", "content": "two"},
    ]
    assert len(talk.messages) == 2, "a question that was not answered is forgotten"
    assert (body["model"], body["stream"]) == ("sonnet", True)


def test_an_image_goes_with_one_question(tmp_path: Path) -> None:
    picture = tmp_path / "a.dat"
    picture.write_bytes(PNG)
    talk = Conversation("sonnet")
    assert talk.command(f"/image {picture}") == "a.dat will be sent with the next question"
    image, text = talk.asked("what is it?")["messages"][0]["content"]
    assert image["image_url"]["url"] == "data:image/png;base64," + base64.b64encode(PNG).decode()
    assert text == {"type": "text", "text": "what is it?"}
    talk.answered("what is it?", "a picture")
    assert talk.asked("more")["messages"][-1]["content"] == "more"
    assert talk.messages[0]["content"][0] == image, "it stays in the history"


@pytest.mark.parametrize("data", [None, b"GIF", b"%PDF-1.7", b"\x89PNG\r\n" + bytes(MAX_IMAGE_BYTES)])
def test_what_is_no_image(tmp_path: Path, data: bytes | None) -> None:
    if data is not None:
        (tmp_path / "x.png").write_bytes(data)
    with pytest.raises(Problem, match=r"^cannot (read|send) .*x.png: "):
        Conversation("sonnet").attach(tmp_path / "x.png")


def test_an_image_in_the_home_of_an_unknown_user() -> None:
    with pytest.raises(Problem, match=r"^cannot read ~nosuch/x.png: "):
        Conversation("sonnet").attach(Path("~nosuch/x.png"))


def test_words_with_a_slash() -> None:
    talk = Conversation("sonnet")
    assert talk.command("/model opus") == "the model is opus"
    assert talk.command("/system  be brief ") == "the system prompt is set"
    assert (talk.model, talk.system) == ("opus", "be brief")
    assert talk.command("/system") == "no system prompt"
    talk.answered("a", "b")
    assert talk.command("/new") == "new conversation"
    assert talk.messages == []
    assert talk.command("/modle x") == talk.command("/model") == talk.command("/help") == HELP
    assert talk.command("/quit") is None


@given(st.text())
def test_nothing_steers_the_terminal(text: str) -> None:
    shown = printable(text)
    assert not any(each in shown for each in "\x1b\x07\r\x9b\x7f\x00")
    assert printable(shown) == shown
