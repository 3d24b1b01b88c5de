"""Judge: the habits of agents and applications, each a request like those that it was seen to send."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from openai.types.chat import ChatCompletion

from tests.foreign.client_bodies import CLIENTS, OPENCODE_MAIN, OPENCODE_TITLE, PLAIN, STREAMED, Seen
from tests.foreign.judged import CLIENT_KEY, Judged
from tests.openai_client import accumulated, described
from tests.openai_description import VARIABLE
from tests.plain_http import blocking_client

pytestmark = pytest.mark.cli

CONFIG = """
"""


@pytest.fixture
def http(gateway: Judged) -> Iterator[httpx.Client]:
    headers = {"authorization": f"Bearer {CLIENT_KEY}", "accept": "application/json"}
    with blocking_client(gateway.base_url, headers=headers, timeout=60) as client:
        yield client


def ask(http: httpx.Client, body: Mapping[str, Any]) -> tuple[ChatCompletion, httpx.Headers]:
    """The answer as the client puts it together, streamed or not as it asked for it."""
    response = http.post("/chat/completions", json=body)
    assert response.status_code == 200, response.text
    if body.get("stream"):
        # Copilot takes nothing else for a stream.
        assert response.headers["content-type"].startswith("text/event-stream")
        return accumulated([response.content]), response.headers
    if os.environ.get(VARIABLE):
        described("CreateChatCompletionResponse", response.content)
    return ChatCompletion.model_validate_json(response.content, strict=True), response.headers


@pytest.mark.parametrize("seen", CLIENTS.values(), ids=CLIENTS.keys())
def test_what_a_client_sends_is_answered_as_it_needs_it(http: httpx.Client, seen: Seen) -> None:
    completion, headers = ask(http, seen.body)
    [choice] = completion.choices
    assert choice.message.role == "assistant"
    if seen.call is None:
        # Cline and Qwen Code give up where the last answer is empty.
        assert (choice.message.content, choice.finish_reason) == (seen.text, "stop")
        assert choice.message.tool_calls is None
    else:
        [call] = choice.message.tool_calls or []
        assert call.type == "function"
        assert (call.function.name, choice.finish_reason) == (seen.call, "tool_calls")
    assert headers.get("x-claudegw-ignored") == seen.ignored
    assert completion.usage is not None


def test_opencode_asks_for_a_title_and_an_answer_at_the_same_moment(http: httpx.Client) -> None:
    with ThreadPoolExecutor(2) as both:
        main, title = both.map(lambda body: ask(http, body)[0], (OPENCODE_MAIN, OPENCODE_TITLE))
    assert main.choices[0].finish_reason == "tool_calls"
    # Two messages of the user in a row are one for the model.
    assert title.choices[0].message.content == "Generate a title for this conversation:\nListing files"


def test_open_webui_lists_the_models_and_sends_its_small_calls_beside_the_chat(http: httpx.Client) -> None:
    models = [model["id"] for model in http.get("/models").json()["data"]]
    assert PLAIN["model"] in models
    small = [
        {**PLAIN, "messages": [{"role": "user", "content": f"{task}?"}]} for task in ("title", "tags", "follow-ups")
    ]
    chat = {**STREAMED, "messages": [{"role": "user", "content": "the chat"}]}
    with ThreadPoolExecutor(4) as at_once:
        answers = list(at_once.map(lambda body: ask(http, body)[0].choices[0].message.content, [chat, *small]))
    assert answers == ["the chat", "title?", "tags?", "follow-ups?"]


def test_a_conversation_that_an_agent_has_cut_down_goes_on(http: httpx.Client) -> None:
    """Agents compact their history: it begins anew with a summary, and old results are gone."""
    first = {"role": "user", "content": "one"}
    ask(http, {**STREAMED, "messages": [first]})
    ask(http, {**STREAMED, "messages": [first, {"role": "assistant", "content": "one"}, {**first, "content": "two"}]})
    cut = [{"role": "user", "content": "Summary: you said one and two."}, {"role": "assistant", "content": "Yes."}]
    completion, _ = ask(http, {**STREAMED, "messages": [*cut, {"role": "user", "content": "three"}]})
    assert completion.choices[0].message.content == "three"
