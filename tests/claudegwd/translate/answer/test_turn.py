"""A turn from its events to its outputs: what each end of an answer means, and that there is always exactly one."""

import json
from collections.abc import Iterable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claudegwd.claude_cli.client_log import Rejection
from claudegwd.claude_cli.events import AnyEvent, System, Unknown
from claudegwd.keys.failures import FailureKind
from claudegwd.openai_api.chat.response import DONE, ChatStream, Usage
from claudegwd.transitions import ImpossibleTransition
from claudegwd.translate.answer.answer import Answer
from claudegwd.translate.answer.text_filters import ObjectFilter, StopsFilter
from claudegwd.translate.answer.turn import (
    After,
    Cited,
    Failed,
    Finished,
    Output,
    Reasoning,
    Refusal,
    Started,
    TextPiece,
    TokenCount,
    ToolArguments,
    ToolStart,
    Turn,
    TurnError,
)
from claudegwd.translate.answer.turn_states import TurnState
from claudegwd.translate.request.tools import ToolSet
from tests.claudegwd.translate.upstream import (
    api_error,
    arguments,
    began,
    block,
    call,
    closed,
    ended,
    event,
    opened,
    part,
    result,
    signed,
    stopped,
    text,
    thought,
    whole,
)
from tests.openai_client import accumulated

STARTED = Started("claude-x", TokenCount(prompt=10, completion=1))
TOOLS = ToolSet((), {"read": "read", "odd_mark": "odd.name"})


def run(events: Iterable[AnyEvent], turn: Turn | None = None) -> list[Output]:
    turn = turn or Turn(TOOLS)
    return [output for one in events for output in turn.feed(one)]


def last(events: Iterable[AnyEvent]) -> Finished:
    finished = run(events)[-1]
    assert isinstance(finished, Finished)
    return finished


def failed(events: Iterable[AnyEvent]) -> Failed:
    outputs = run(events)
    assert isinstance(outputs[-1], Failed)
    assert not any(isinstance(output, Finished | Failed) for output in outputs[:-1])
    return outputs[-1]


CALL = [call(1, "toolu_1", "read"), arguments(1, '{"a":'), arguments(1, "1}"), closed(1)]
SAID = block(0, "Hello", " world")


def test_an_answer() -> None:
    assert run(whole(SAID)) == [
        STARTED,
        TextPiece(b'"Hello"'),
        TextPiece(b'" world"'),
        Finished("stop", TokenCount(prompt=10, completion=7), After.KEEP),
    ]


def test_thinking_and_calls() -> None:
    thinking = [opened(0, "thinking", thinking="", signature=""), thought(0, "hm"), signed(0, "c2ln"), closed(0)]
    calls = [*CALL, call(2, "toolu_2", "odd_mark"), closed(2)]
    outputs = run(whole(thinking, calls, stop="tool_use"))
    assert outputs[1:-1] == [
        Reasoning(b'"hm"'),
        ToolStart(0, "toolu_1", "read"),
        ToolArguments(0, rb'"{\"a\":"'),
        ToolArguments(0, b'"1}"'),
        ToolStart(1, "toolu_2", "odd.name"),
        ToolArguments(1, b'"{}"'),
    ]
    end = outputs[-1]
    assert isinstance(end, Finished)
    assert end.said[0] == {"type": "thinking", "thinking": "hm", "signature": "c2ln"}
    assert [(block["name"], block["input"]) for block in end.said[1:]] == [("read", {"a": 1}), ("odd_mark", {})]


@pytest.mark.parametrize(
    ("stop", "blocks", "reason", "after"),
    [
        ("end_turn", [SAID], "stop", After.KEEP),
        ("stop_sequence", [SAID], "stop", After.KEEP),
        # The CLI asks again after an answer without a word, and white space is none.
        ("end_turn", [], "stop", After.KILL),
        ("end_turn", [block(0)], "stop", After.KILL),
        ("end_turn", [block(0, " ", "\n\t")], "stop", After.KILL),
        ("end_turn", [[opened(0, "thinking"), thought(0, "hm"), closed(0)]], "stop", After.KILL),
        ("stop_sequence", [], "stop", After.KILL),
        ("max_tokens", [SAID], "length", After.KILL),
        ("max_tokens", [CALL], "length", After.KILL),
        ("model_context_window_exceeded", [SAID], "length", After.KILL),
        ("refusal", [SAID], "content_filter", After.KILL),
        ("refusal", [], "content_filter", After.KILL),
        ("pause_turn", [SAID], "length", After.KILL),
        ("a reason to come", [SAID], "stop", After.KILL),
        ("tool_use", [CALL], "tool_calls", After.PARK),
        ("tool_use", [SAID, CALL], "tool_calls", After.PARK),
        ("tool_use", [SAID], "stop", After.KILL),  # no call to give: nothing that a client could wait for
        ("end_turn", [SAID, CALL], "tool_calls", After.KILL),
        # The CLI would answer a call of a tool that nobody declared itself, and ask again.
        ("tool_use", [[call(1, "toolu_1", "unheard_of"), closed(1)]], "tool_calls", After.KILL),
        ("tool_use", [CALL, [call(2, "toolu_2", "unheard_of"), closed(2)]], "tool_calls", After.KILL),
    ],
)
def test_ends(stop: str, blocks: list[list[AnyEvent]], reason: str, after: After) -> None:
    finished = last(whole(*blocks, stop=stop))
    assert (finished.reason, finished.after) == (reason, after)


def test_a_refusal_keeps_its_words_and_is_told() -> None:
    outputs = run(whole(block(0, "I will not."), stop="refusal"))
    assert outputs[1:3] == [TextPiece(b'"I will not."'), Refusal()]
    assert Refusal() not in run(whole(block(0, "I will.")))


def test_a_refusal_whose_counts_the_cli_leaves_out_is_estimated() -> None:
    declined = System(subtype="model_refusal_no_fallback")
    finished = run([began(), *block(0, "I will not."), declined, stopped(None)])[-1]
    assert isinstance(finished, Finished)
    assert (finished.reason, finished.usage) == ("content_filter", TokenCount(10, 3, estimated=True))


def test_a_call_under_the_clis_prefix_is_the_clients_too() -> None:
    # A CLI that does not know how to leave the prefix out.
    assert run([began(), call(0, "toolu_1", "mcp__gw__read")])[-1] == ToolStart(0, "toolu_1", "read")


class TestWhatBlocksHoldFromTheirStart:
    """Some relays give in the opening of a block what the API gives in deltas."""

    def test_text_and_thinking(self) -> None:
        events = [began(), opened(0, "thinking", thinking="hm"), opened(1, "text", text="Hello"), text(1, "!")]
        assert run(events)[1:] == [Reasoning(b'"hm"'), TextPiece(b'"Hello"'), TextPiece(b'"!"')]

    def test_arguments(self) -> None:
        outputs = run([began(), call(0, "toolu_1", "read", input={"a": "é"}), closed(0)])
        assert isinstance(outputs[-1], ToolArguments)
        assert json.loads(json.loads(outputs[-1].raw)) == {"a": "é"}

    @pytest.mark.parametrize("empty", [{}, None, [], "x"])
    def test_no_arguments(self, empty: object) -> None:
        outputs = run([began(), call(0, "toolu_1", "read", input=empty), arguments(0, ""), closed(0)])
        assert outputs[2:] == [ToolArguments(0, b'"{}"')]

    def test_arguments_of_a_block_that_was_never_closed(self) -> None:
        outputs = run([began(), call(0, "toolu_1", "read"), stopped("tool_use")])
        assert outputs[2] == ToolArguments(0, b'"{}"')

    def test_arguments_that_are_no_json_go_out_as_they_are(self) -> None:
        outputs = run([began(), call(0, "toolu_1", "read"), arguments(0, '{"a": '), stopped("max_tokens")])
        assert outputs[2] == ToolArguments(0, rb'"{\"a\": "')


def test_the_arguments_of_interleaved_calls_stay_apart() -> None:
    events = [
        began(),
        call(1, "toolu_1", "read"),
        call(2, "toolu_2", "read"),
        arguments(1, "{}"),
        arguments(2, '{"b":2}'),
        closed(2),
        closed(1),
    ]
    assert run(events)[3:] == [ToolArguments(0, b'"{}"'), ToolArguments(1, rb'"{\"b\":2}"')]


def test_server_tools_and_unknown_blocks_are_no_calls_of_the_client() -> None:
    server = [
        opened(1, "server_tool_use", id="srv_1", name="web_search", input={}),
        arguments(1, '{"query":"x"}'),
        closed(1),
        opened(2, "web_search_tool_result", tool_use_id="srv_1", content=[{"type": "x"}]),
        closed(2),
        Unknown("stream_event"),
        arguments(7, "{}"),  # of a block whose opening could not be read
        closed(7),
    ]
    outputs = run(whole(SAID, server, block(3, "found")))
    told = [output for output in outputs[1:-1] if "Server" not in type(output).__name__]
    assert told == [TextPiece(b'"Hello"'), TextPiece(b'" world"'), TextPiece(b'"found"')]
    assert last(whole(SAID, server)).after is After.KEEP


def test_text_of_a_block_whose_opening_is_missing_is_not_lost() -> None:
    assert run([began(), text(0, "Hello")])[1:] == [TextPiece(b'"Hello"')]


def test_halves_of_surrogate_pairs_go_out_as_they_came() -> None:
    assert run([began(), text(0, "\ud83d"), text(0, "\ude00")])[1:] == [
        TextPiece(rb'"\ud83d"'),
        TextPiece(rb'"\ude00"'),
    ]


@pytest.mark.parametrize("value", [5, None, {"a": 1}, ["a"]])
def test_a_delta_that_is_no_text_is_an_error(value: object) -> None:
    for kind, name in (("text_delta", "text"), ("thinking_delta", "thinking")):
        delta = part(type="content_block_delta", index=0, delta={"type": kind, name: value})
        with pytest.raises(TurnError):
            run([began(), delta])
    piece = part(type="content_block_delta", index=0, delta={"type": "input_json_delta", "partial_json": value})
    with pytest.raises(TurnError):
        run([began(), call(0, "toolu_1", "read"), piece])


class TestFailures:
    def test_before_the_first_token(self) -> None:
        events = [
            api_error("rate_limit", 429, "rate_limit_error"),
            result(is_error=True, api_error_status=429, terminal_reason="api_error"),
        ]
        assert failed(events) == Failed(FailureKind.RATE_LIMIT, 429, "rate_limit", None)

    def test_with_the_reset_of_a_subscription(self) -> None:
        info = {"status": "rejected", "resetsAt": 1_800_000_000}
        events = [
            event(type="rate_limit_event", rate_limit_info={"status": "allowed_warning", "resetsAt": 1}),
            event(type="rate_limit_event", rate_limit_info=info),
            result(is_error=True, api_error_status=429),
        ]
        assert failed(events).reset_at == 1_800_000_000

    def test_a_warning_about_limits_is_no_limit(self) -> None:
        warning = event(type="rate_limit_event", rate_limit_info={"status": "allowed_warning", "resetsAt": 1})
        assert failed([warning, result(is_error=True, api_error_status=529)]).reset_at is None

    def test_with_a_status_that_only_the_log_tells(self) -> None:
        turn = Turn(TOOLS, rejection=Rejection(401, is_json=True))
        outputs = run([api_error("unknown", None), result(is_error=True, terminal_reason="api_error")], turn)
        assert outputs[-1] == Failed(FailureKind.AUTHENTICATION, 401, "unknown", None)

    def test_a_prompt_that_is_too_long(self) -> None:
        events = [
            api_error("invalid_request", 400, "invalid_request_error"),
            result(is_error=True, terminal_reason="prompt_too_long"),
        ]
        assert failed(events).kind is FailureKind.TOO_LONG

    def test_cut_inside_the_first_block(self) -> None:
        events = [
            began(),
            opened(0, "text", text=""),
            text(0, "Hel"),
            api_error("server_error", None),
            closed(0),
            stopped(None),
            ended(),
            result(is_error=True, terminal_reason="api_error"),
        ]
        assert failed(events) == Failed(FailureKind.UNAVAILABLE, None, "server_error", None)

    def test_cut_after_a_whole_block(self) -> None:
        turn = Turn(TOOLS)
        outputs = run([began(), *SAID, ended()], turn)
        assert outputs[-1] == Failed(FailureKind.UNAVAILABLE, None, "broken_off", None)
        # The CLI asks again by itself: nothing of that second answer goes out.
        assert run(whole(SAID), turn) == []

    def test_cut_before_a_token(self) -> None:
        assert failed([began(), ended()]).error == "broken_off"
        assert failed([began(), opened(0, "text", text=""), ended()]).error == "broken_off"

    def test_a_result_without_an_answer(self) -> None:
        assert failed([result()]).kind is FailureKind.CLI
        for turns in (0, 1):
            assert failed([began(), *SAID, result(num_turns=turns)]) == Failed(FailureKind.CLI, None, None, None)

    def test_an_acknowledgement_is_no_result(self) -> None:
        assert run([result(num_turns=0), *whole(SAID)])[-1] == last(whole(SAID))

    def test_loss(self) -> None:
        turn = Turn(TOOLS)
        assert turn.lost() == (Failed(FailureKind.CLI, None, None, None),)
        assert turn.lost() == ()
        turn = Turn(TOOLS)
        run([began(), *SAID], turn)
        assert turn.lost(FailureKind.SILENT) == (Failed(FailureKind.SILENT, None, None, None),)
        turn = Turn(TOOLS)
        run(whole(SAID), turn)
        assert turn.lost() == ()


class TestPairsThatAreNotInTheTable:
    @pytest.mark.parametrize(
        "first", [opened(0, "text"), text(0, "x"), thought(0, "x"), closed(0), stopped("end_turn"), stopped(None)]
    )
    def test_a_part_of_a_message_that_has_not_begun(self, first: AnyEvent) -> None:
        with pytest.raises(ImpossibleTransition, match="in state asked"):
            Turn(TOOLS).feed(first)

    def test_a_message_within_a_message(self) -> None:
        with pytest.raises(ImpossibleTransition, match="cannot take the start of a message in state streaming"):
            run([began(), *SAID, began()])

    def test_the_end_of_the_message_before_is_no_harm(self) -> None:
        # Results of tools may be handed in before the CLI has written the last line of the message with the calls.
        turn = Turn(TOOLS)
        assert run([ended(), *whole(SAID)], turn)[-1] == last(whole(SAID))
        assert turn.state is TurnState.STOPPED


@pytest.mark.parametrize(
    ("usage", "counts"),
    [
        ({"input_tokens": 1}, True),
        ({"cache_read_input_tokens": 1}, True),
        ({"cache_creation_input_tokens": 1}, True),
        ({"output_tokens": 1}, False),
    ],
)
def test_whether_the_upstream_counts(usage: dict[str, int], counts: bool) -> None:
    turn = Turn(TOOLS)
    turn.feed(began(**{"input_tokens": 0, **usage}))
    assert turn.counts_tokens is counts


class TestFilters:
    def test_no_places_are_told_of_a_text_that_a_filter_has_altered(self) -> None:
        page = {"type": "web_search_result_location", "url": "https://a.example", "title": "A"}
        told = part(type="content_block_delta", index=0, delta={"type": "citations_delta", "citation": page})
        events = whole([opened(0, "text", text=""), text(0, "x"), told, closed(0)])
        assert Cited(0, 1, "https://a.example", "A") in run(events)
        assert not any(isinstance(output, Cited) for output in run(events, Turn(TOOLS, filter=StopsFilter(["END"]))))

    def test_the_text_that_a_filter_lets_through(self) -> None:
        outputs = run(whole(block(0, "Sure: ```", '{"a"', ":1}", "\n```")), Turn(TOOLS, ObjectFilter()))
        assert [output.raw for output in outputs if isinstance(output, TextPiece)] == [rb'"{\"a\""', b'":1}"']
        assert isinstance(outputs[-1], Finished)

    def test_a_filter_that_ends_the_answer(self) -> None:
        turn = Turn(TOOLS, StopsFilter(["\n"]))
        outputs = run(whole(block(0, "one", " two\nthree", " four")), turn)
        assert outputs == [
            STARTED,
            TextPiece(b'"one"'),
            TextPiece(b'" two"'),
            Finished("stop", TokenCount(prompt=10, completion=4, estimated=True), After.KILL),
        ]

    def test_what_a_filter_held_back_comes_before_the_end(self) -> None:
        turn = Turn(TOOLS, StopsFilter(["\n\n"]))
        outputs = run(whole(block(0, "one\n")), turn)
        assert outputs[1:-1] == [TextPiece(b'"one"'), TextPiece(rb'"\n"')]


EVENTS = st.sampled_from(
    [
        began(), ended(), result(), result(num_turns=0), result(is_error=True, api_error_status=529),
        api_error("rate_limit", 429), opened(0, "text", text="a"), opened(1, "thinking"), closed(0), closed(1),
        opened(2, "redacted_thinking", data="x"), opened(3, "server_tool_use", id="s", name="n"), text(0, "Hello"),
        text(0, " "), text(9, "x"), thought(1, "hm"), signed(1, "c2ln"), call(4, "toolu_1", "read"),
        call(4, "toolu_2", "unheard_of"), arguments(4, "{}"), arguments(3, "{"), closed(4), stopped("end_turn"),
        stopped("tool_use"), stopped("max_tokens"), stopped("refusal"), stopped(None), Unknown("stream_event"),
        event(type="system", subtype="init"), event(type="rate_limit_event", rate_limit_info={"status": "rejected"}),
    ]
)  # fmt: skip


@given(st.lists(EVENTS, max_size=30))
def test_any_sequence_of_events_ends_in_exactly_one_terminal_output_or_typed_error(events: list[AnyEvent]) -> None:
    turn = Turn(TOOLS)
    outputs: list[Output] = []
    try:
        for one in events:
            outputs += turn.feed(one)
    except (TurnError, ImpossibleTransition):
        pass  # the worker ends the process then
    outputs += turn.lost()
    assert [isinstance(output, Finished | Failed) for output in outputs].count(True) == 1
    assert isinstance(outputs[-1], Finished | Failed)
    assert turn.over
    Answer().add(outputs)


PIECES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)
ARGUMENTS = st.dictionaries(PIECES, PIECES | st.integers() | st.none(), max_size=3)


@st.composite
def answers(draw: st.DrawFn) -> list[AnyEvent]:
    """Whole turns: thinking, texts and calls in any order, each in any pieces."""
    events = [began()]
    kinds = draw(st.lists(st.sampled_from(["text", "thinking", "call"]), max_size=5))
    for index, kind in enumerate(kinds):
        pieces = draw(st.lists(PIECES, max_size=4))
        if kind == "text":
            events += [opened(index, "text", text=""), *(text(index, one) for one in pieces)]
        elif kind == "thinking":
            events += [opened(index, "thinking", thinking=""), *(thought(index, one) for one in pieces)]
        else:
            written = json.dumps(draw(ARGUMENTS), ensure_ascii=draw(st.booleans()))
            cut = draw(st.integers(0, len(written)))
            events += [call(index, f"toolu_{index}", "read"), arguments(index, written[:cut])]
            events += [arguments(index, written[cut:])]
        events.append(closed(index))
    stop = "tool_use" if "call" in kinds else draw(st.sampled_from(["end_turn", "max_tokens", "refusal"]))
    return [*events, stopped(stop), ended(), result()]


def streamed(outputs: Sequence[Output]) -> list[bytes]:
    """The stream that a client is sent."""
    stream = ChatStream("chatcmpl-1", 1, "m", include_usage=True)
    sent = [stream.role(0)]
    for output in outputs:
        match output:
            case TextPiece(raw=raw):
                sent.append(stream.text(0, raw))
            case Reasoning(raw=raw):
                sent.append(stream.reasoning(0, raw))
            case ToolStart(index=index, id=ident, name=name):
                sent.append(stream.tool_start(0, index, ident, name))
            case ToolArguments(index=index, raw=raw):
                sent.append(stream.tool_arguments(0, index, raw))
            case Finished(reason=reason, usage=usage):
                sent.append(stream.finish(0, reason))  # type: ignore[arg-type]  # one of OpenAI's four
                sent.append(stream.usage(Usage(usage.prompt, usage.completion)))
    return [*sent, DONE]


@given(answers())
def test_every_stream_is_read_back_by_the_official_client(events: list[AnyEvent]) -> None:
    outputs = run(events)
    answer = Answer()
    answer.add(outputs)
    assert answer.finished is not None
    read = accumulated(streamed(outputs)).choices[0]
    assert (read.message.content or "") == answer.text
    assert (getattr(read.message, "reasoning_content", None) or "") == answer.reasoning
    calls = [one for one in read.message.tool_calls or () if one.type == "function"]
    assert [(one.id, one.function.name, one.function.arguments) for one in calls] == [
        (one.id, one.name, one.arguments) for one in answer.calls
    ]
    assert all(isinstance(json.loads(one.arguments), dict) for one in answer.calls)
    assert read.finish_reason == answer.finished.reason
