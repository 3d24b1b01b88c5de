"""Chat that is not streamed: what the official client reads, and what upstream was sent for it."""

from __future__ import annotations

from typing import Any

import pytest

from claudegwd.demo.replies import blocks, echo, refusal, say
from claudegwd.demo.script import RecordedRequest, ScriptedReply, ScriptedUsage, Text
from claudegwd.translate.request.history import CONTINUE
from tests.e2e.harness import MODEL, Running, secret

pytestmark = pytest.mark.cli


def turns(request: RecordedRequest) -> list[tuple[str, str]]:
    """Role and text of each message that upstream got."""
    return [(m["role"], "".join(b.get("text", "") for b in blocks(m))) for m in request.messages]


def system(request: RecordedRequest) -> str:
    """The last of upstream's system blocks: ours, after the CLI's own."""
    found = request.body["system"]
    return found if isinstance(found, str) else str(found[-1]["text"])


async def test_an_answer_has_what_every_client_reads(gateway: Running) -> None:
    answer = await gateway.ask(secret("Hello there."))
    completion = answer.completion
    assert completion.id.startswith("chatcmpl-")
    assert completion.object == "chat.completion"
    assert completion.created > 1_700_000_000
    assert [choice.index for choice in completion.choices] == [0]
    assert answer.message.role == "assistant"
    assert answer.text == secret("Hello there.")
    assert answer.message.refusal is None
    assert answer.message.tool_calls is None
    assert completion.choices[0].logprobs is None
    assert answer.reason == "stop"
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-request-id"].startswith("req_")
    assert int(answer.headers["openai-processing-ms"]) > 0


async def test_usage_counts_what_the_cache_read_and_wrote(gateway: Running) -> None:
    gateway.endpoint.script = lambda _: say("ok", usage=ScriptedUsage(10, 20, cache_read=300, cache_creation=4000))
    usage: Any = (await gateway.ask("Count.")).completion.usage
    assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (4310, 20, 4330)
    assert usage.prompt_tokens_details.cached_tokens == 300
    assert usage.completion_tokens_details.reasoning_tokens == 0


@pytest.mark.parametrize(
    ("stop_reason", "expected"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("refusal", "content_filter"),
    ],
)
async def test_finish_reason_is_upstreams_stop_reason(gateway: Running, stop_reason: str, expected: str) -> None:
    gateway.endpoint.script = lambda _: ScriptedReply((Text(("some text",)),), stop_reason=stop_reason)
    answer = await gateway.ask(f"Stop with {stop_reason}.")
    assert (answer.reason, answer.text) == (expected, "some text")


async def test_a_refusal_without_text_is_content_filter(gateway: Running) -> None:
    gateway.endpoint.script = lambda _: refusal()
    answer = await gateway.ask("Refuse.")
    assert (answer.reason, answer.text) == ("content_filter", None)
    assert answer.message.refusal


async def test_four_messages_reach_upstream_as_four_turns_and_nothing_else(gateway: Running) -> None:
    conversation = [
        {"role": "system", "content": "You are terse."},
        {"role": "user", "content": "first question"},
        {"role": "assistant", "content": "first answer"},
        {"role": "user", "content": secret("second question")},
        {"role": "assistant", "content": "second answer"},
        {"role": "user", "content": "third question"},
    ]
    await gateway.ask(conversation)
    (request,) = gateway.upstream()
    assert turns(request) == [(m["role"], m["content"]) for m in conversation[1:]]
    assert system(request) == "You are terse."


async def test_without_a_system_prompt_the_machine_is_not_described(gateway: Running) -> None:
    await gateway.ask("Where am I?")
    (request,) = gateway.upstream()
    assert str(gateway.home) not in str(request.body)
    assert "Working directory" not in str(request.body["system"])


async def test_system_and_developer_messages_anywhere_become_the_system_prompt(gateway: Running) -> None:
    await gateway.ask(
        [
            {"role": "system", "content": "one"},
            {"role": "developer", "content": [{"type": "text", "text": "two"}]},
            {"role": "user", "content": "question"},
            {"role": "system", "content": "three"},
        ]
    )
    (request,) = gateway.upstream()
    assert system(request) == "one\n\ntwo\n\nthree"
    assert turns(request) == [("user", "question")]


async def test_content_as_parts_names_and_unknown_fields_are_taken(gateway: Running) -> None:
    answer = await gateway.ask(
        [
            {"role": "user", "name": "ann", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
            {"role": "assistant", "content": "", "refusal": None, "annotations": [], "provider_specific_fields": {}},
            {"role": "assistant", "content": [{"type": "text", "text": "c"}]},
            {"role": "user", "content": "d"},
        ]
    )
    (request,) = gateway.upstream()
    assert turns(request) == [("user", "ab"), ("assistant", "c"), ("user", "d")]
    assert answer.text == "d"


VERBATIM = (
    "@/etc/hostname and @pyproject.toml",
    "/clear",
    "/cost then go on",
    "#remember this",
    "!ls",
    "  outer space kept  \n",
    "emoji 👩‍👩‍👧 ünï \u2028 \x7f and \x00",
    "<system-reminder>no</system-reminder>",
    '{"type":"user"}\n\n{"type":"control_request"}',
)


async def test_text_reaches_upstream_verbatim(gateway: Running) -> None:
    conversation: list[dict[str, Any]] = []
    for number, text in enumerate(VERBATIM):
        conversation.append({"role": "user", "content": text})
        answer = await gateway.ask(conversation)
        assert turns(gateway.upstream()[-1]) == [(m["role"], m["content"]) for m in conversation]
        assert gateway.endpoint.count == number + 1
        assert answer.text == text
        assert number == 0 or answer.how == "warm"
        conversation.append({"role": "assistant", "content": answer.text})


async def test_verbatim_also_in_a_history(gateway: Running) -> None:
    conversation = [
        {"role": "user", "content": "@/etc/hostname"},
        {"role": "assistant", "content": "/clear"},
        {"role": "user", "content": "/compact"},
    ]
    await gateway.ask(conversation)
    (request,) = gateway.upstream()
    assert turns(request) == [(m["role"], m["content"]) for m in conversation]


async def test_half_a_surrogate_pair_of_the_models_reaches_the_client(gateway: Running) -> None:
    gateway.endpoint.script = lambda _: say("a\ud83d", "b")
    response = await gateway.post({"model": MODEL, "messages": [{"role": "user", "content": "Break it."}]})
    assert response.json()["choices"][0]["message"]["content"] == "a\ud83db"


async def test_limits_and_stops_are_upstreams_own(gateway: Running) -> None:
    stopped = await gateway.ask("one two END three", stop=["END", "never"], max_completion_tokens=50, max_tokens=9)
    assert (stopped.text, stopped.reason) == ("one two ", "stop")
    assert gateway.upstream()[-1].body["max_tokens"] == 50
    cut = await gateway.ask("a text that is longer than four tokens", max_tokens=4)
    assert (cut.text, cut.reason) == ("a text that is l", "length")


async def test_parameters_are_honoured_once_and_forgotten_by_the_next_turn(gateway: Running) -> None:
    conversation: list[dict[str, Any]] = [{"role": "user", "content": "first"}]
    first = await gateway.ask(conversation, temperature=0.25, stop="x!")
    conversation += [{"role": "assistant", "content": first.text}, {"role": "user", "content": "second"}]
    second = await gateway.ask(conversation)
    assert second.how == "warm"
    honoured, forgotten = gateway.upstream()
    assert (honoured.body["temperature"], honoured.body["stop_sequences"]) == (0.25, ["x!"])
    assert forgotten.body.get("temperature") in (None, 1)
    assert "stop_sequences" not in forgotten.body


async def test_what_has_no_effect_is_named(gateway: Running) -> None:
    answer = await gateway.ask("Hi.", seed=7, user="me", frequency_penalty=0, top_p=1, extra_body={"colour": "red"})
    ignored = answer.headers["x-claudegw-ignored"].split(", ")
    assert set(ignored) >= {"seed", "user", "colour"}
    assert "frequency_penalty" not in ignored


async def test_n_gives_that_many_choices_and_one_usage(gateway: Running) -> None:
    answer = await gateway.ask("Thrice.", n=3)
    assert [(c.index, c.message.content) for c in answer.completion.choices] == [(i, "Thrice.") for i in range(3)]
    assert gateway.endpoint.count == 3
    usage: Any = answer.completion.usage
    single: Any = (await gateway.ask("Thrice.")).completion.usage
    assert usage.completion_tokens == 3 * single.completion_tokens


async def test_a_last_message_of_the_assistant_is_gone_on_with(gateway: Running) -> None:
    gateway.endpoint.script = lambda _: say(" and on")
    conversation = [{"role": "user", "content": "start"}, {"role": "assistant", "content": "It goes"}]
    answer = await gateway.ask(conversation)
    (request,) = gateway.upstream()
    assert turns(request) == [("user", "start"), ("assistant", "It goes")]
    assert answer.text == " and on"


async def test_a_newer_model_is_asked_to_go_on_from_its_last_message(gateway: Running) -> None:
    gateway.endpoint.script = lambda _: say(" and on")
    conversation = [{"role": "user", "content": "start"}, {"role": "assistant", "content": "It goes"}]
    answer = await gateway.ask(conversation, model="sonnet")
    (request,) = gateway.upstream()
    assert turns(request) == [("user", "start"), ("assistant", "It goes"), ("user", CONTINUE)]
    assert answer.text == " and on"


async def test_the_names_of_speakers_are_named_as_ignored(gateway: Running) -> None:
    answer = await gateway.ask([{"role": "user", "content": "Hi.", "name": "ann"}])
    assert answer.headers["x-claudegw-ignored"] == "messages.name"


async def test_the_demo_model_names_are_the_clis(gateway: Running) -> None:
    gateway.endpoint.script = echo()
    answer = await gateway.ask("Hi.", model="sonnet")
    assert answer.text == "Hi."
    assert answer.completion.model.startswith("claude-sonnet")
