"""Turns the events of one upstream message into outputs.

A turn ends for us with the first upstream message. The CLI continues by itself where an API would stop (after
`max_tokens`, an empty answer, or a call of an unknown tool), and each time sends another upstream request. Therefore
the outputs say at the earliest event whether the process may continue (`After`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from claudegwd.claude_cli import events as e
from claudegwd.claude_cli.client_log import Rejection
from claudegwd.keys.failures import FailureKind
from claudegwd.transitions import after
from claudegwd.translate.answer.blocks import OpenBlock, cited, said
from claudegwd.translate.answer.counts import count_cut, count_tokens
from claudegwd.translate.answer.failure_of_turn import failure_of
from claudegwd.translate.answer.literals import is_blank, joined, literal_of
from claudegwd.translate.answer.outputs import After as After
from claudegwd.translate.answer.outputs import Cited as Cited
from claudegwd.translate.answer.outputs import Failed as Failed
from claudegwd.translate.answer.outputs import Finished as Finished
from claudegwd.translate.answer.outputs import Output as Output
from claudegwd.translate.answer.outputs import Reasoning as Reasoning
from claudegwd.translate.answer.outputs import Refusal as Refusal
from claudegwd.translate.answer.outputs import ServerToolInput as ServerToolInput
from claudegwd.translate.answer.outputs import ServerToolResult as ServerToolResult
from claudegwd.translate.answer.outputs import ServerToolStart as ServerToolStart
from claudegwd.translate.answer.outputs import Started as Started
from claudegwd.translate.answer.outputs import TextPiece as TextPiece
from claudegwd.translate.answer.outputs import TokenCount as TokenCount
from claudegwd.translate.answer.outputs import ToolArguments as ToolArguments
from claudegwd.translate.answer.outputs import ToolStart as ToolStart
from claudegwd.translate.answer.outputs import Verbatim as Verbatim
from claudegwd.translate.answer.turn_states import TRANSITIONS, TurnEvent, TurnState, is_over
from claudegwd.translate.answer.verbatim import verbatim
from claudegwd.translate.arguments import is_json
from claudegwd.translate.request.tools import ToolSet
from claudegwd.translate.server_tools import server_input, server_result

FINISH = {
    "max_tokens": "length",
    "pause_turn": "length",  # searches took too long for one answer
    "model_context_window_exceeded": "length",
    "refusal": "content_filter",
}
_EMPTY = b'""'
_SERVER_CALL = "server_tool_use"
_CALLS = ("tool_use", _SERVER_CALL)


class TurnError(Exception):
    """An event that cannot be read: the process is unreliable."""


class TextFilter(Protocol):
    """Something that the answer's text passes through, for what the upstream cannot do."""

    def feed(self, text: str) -> str:
        """Take a piece; return what can go out."""

    def end(self) -> str:
        """The answer has ended: return what was held back."""

    @property
    def stopped(self) -> bool:
        """Whether the answer ends here, whatever else the model says."""


@dataclass(slots=True)
class Turn:
    """Feed it the events of a turn, in order. Exactly one output is Finished or Failed: the last.

    `rejection`: how the upstream rejected its last request, in case the CLI does not say.
    """

    tools: ToolSet
    filter: TextFilter | None = None
    verbatim: bool = False  # also output the upstream's events as they came
    state: TurnState = TurnState.ASKED
    rejection: Rejection | None = None
    _blocks: dict[int, OpenBlock] = field(default_factory=dict)  # by the upstream's index
    _calls: list[str] = field(default_factory=list)  # ids
    _strange_call: bool = False
    _refused: bool = False
    _spoke: bool = False  # said more than white space
    _text_bytes: int = 0
    _head: e.RawUsage = field(default_factory=e.RawUsage)
    _error: e.AssistantLine | None = None
    _reset_at: float | None = None

    @property
    def over(self) -> bool:
        """Whether the terminal output has been given."""
        return is_over(self.state)

    @property
    def has_begun(self) -> bool:
        """Whether the upstream's message has begun."""
        return self.state is not TurnState.ASKED

    @property
    def counts_tokens(self) -> bool:
        """Whether the upstream reported the question's tokens at the start of its message."""
        head = self._head
        return bool(head.input_tokens or head.cache_read_input_tokens or head.cache_creation_input_tokens)

    @property
    def text(self) -> str:
        """All that the model said, before the filter."""
        return "".join(joined(block.pieces) for block in self._blocks.values() if block.start.type == "text")

    def feed(self, event: e.AnyEvent) -> Sequence[Output]:
        """Take one event. Events after the end are the CLI settling, and produce nothing.

        Raises ImpossibleTransition for an event that does not belong here, TurnError for one that cannot be read.
        """
        if self.over:
            return ()
        match event:
            case e.StreamEvent(event=part):
                return self._stream(part)
            case e.AssistantLine(is_api_error_message=True):
                self._error = event
            case e.System(subtype="model_refusal_no_fallback"):
                self._refused = True
            case e.RateLimit(rate_limit_info=info) if info.status == "rejected":
                self._reset_at = info.resetsAt
            case e.Result() if event.num_turns or event.is_error or self.state is TurnState.STREAMING:
                return (self._failed(event),)
        return ()

    def passed_on(self, event: e.AnyEvent, line: bytes) -> Sequence[Output]:
        """The upstream's event in this line, for clients that get it as it came. Call it before `feed`."""
        passed = e.upstream_event(line) if self.verbatim and not self.over else None
        if passed is None or passed.name == "message_stop":
            return ()
        refused = count_cut(self._head, self._text_bytes).completion if self._refused else None
        return verbatim(passed, event, self.tools, refused=refused)

    def lost(self, kind: FailureKind = FailureKind.CLI) -> Sequence[Output]:
        """The process ended, wrote nonsense (CLI), or fell silent (SILENT)."""
        if self.over:
            return ()
        return (self._fail(kind),)

    def _stream(self, part: e.StreamPart) -> Sequence[Output]:
        match part:
            case e.BlockDelta(delta=delta, index=index):
                self._take(TurnEvent.PART)
                return self._delta(index, delta)
            case e.BlockStart(content_block=block, index=index):
                self._take(TurnEvent.PART)
                return self._start(index, block)
            case e.BlockStop(index=index):
                self._take(TurnEvent.PART)
                return self._closed(self._blocks.get(index))
            case e.MessageStart(message=message):
                self._take(TurnEvent.BEGAN)
                self._head = message.usage or self._head
                return (Started(message.model, count_tokens(self._head, e.RawUsage())),)
            case e.MessageDelta(delta=delta) if delta.stop_reason is not None:
                self._take(TurnEvent.ENDED)
                return self._stopped(part, delta.stop_reason)
            case e.MessageDelta(delta=delta) if self._refused:
                # A CLI whose budget is spent reports the refusal earlier, and leaves reason and counts out here.
                self._take(TurnEvent.ENDED)
                return self._stopped(part, "refusal")
            case e.MessageDelta():
                self._take(TurnEvent.PART)  # how the CLI closes a broken answer; the result line says more
            case e.MessageStop() if self.state is not TurnState.STREAMING:
                self._take(TurnEvent.CLOSED)
            case e.MessageStop() if self._error is None:
                return (self._fail(FailureKind.UNAVAILABLE, "broken_off", TurnEvent.CLOSED),)
        return ()

    def _start(self, index: int, block: e.ContentBlock) -> Sequence[Output]:
        opened = self._blocks[index] = OpenBlock(block)
        match block.type:
            case "text":
                return self._text(opened, bytes(block.text))
            case "thinking":
                return self._reasoning(opened, bytes(block.thinking))
            case "tool_use":
                name = self.tools.client_name(block.name)
                # An undeclared tool: the CLI would answer the call itself and ask upstream again.
                self._strange_call = self._strange_call or name is None
                opened.call = len(self._calls)
                self._calls.append(block.id)
                return (ToolStart(opened.call, block.id, name or block.name),)
            case "server_tool_use":
                return (ServerToolStart(block.id, block.name),)
            case _ if block.tool_use_id:
                return (server_result(block),)
        return ()

    def _delta(self, index: int, delta: e.Delta) -> Sequence[Output]:
        block = self._blocks.get(index)
        match delta:
            case e.TextDelta(text=raw):
                return self._text(block, bytes(raw))
            case e.ThinkingDelta(thinking=raw):
                return self._reasoning(block, bytes(raw))
            case e.SignatureDelta(signature=signature) if block is not None:
                block.signature += signature
            case e.CitationsDelta(citation=citation) if block is not None:
                block.citations.append(citation)
            case e.InputJsonDelta(partial_json=raw) if block is not None and block.start.type in _CALLS:
                piece = _checked(bytes(raw))
                if piece != _EMPTY:
                    block.pieces.append(piece)
                    return (ToolArguments(block.call, piece),) if block.call is not None else ()
        return ()

    def _text(self, block: OpenBlock | None, raw: bytes) -> Sequence[Output]:
        if _checked(raw) == _EMPTY:
            return ()
        if block is not None:
            block.pieces.append(raw)
        self._spoke = self._spoke or not is_blank(raw)
        self._text_bytes += len(raw) - 2
        if self.filter is None:
            return (TextPiece(raw),)
        outputs: list[Output] = self._filtered(self.filter.feed(joined([raw])))
        if self.filter.stopped:
            self._take(TurnEvent.ENDED)
            outputs.append(Finished("stop", count_cut(self._head, self._text_bytes), After.KILL))
        return outputs

    def _filtered(self, text: str) -> list[Output]:
        return [TextPiece(literal_of(text))] if text else []

    def _reasoning(self, block: OpenBlock | None, raw: bytes) -> Sequence[Output]:
        if _checked(raw) == _EMPTY:
            return ()
        if block is not None:
            block.pieces.append(raw)
        return (Reasoning(raw),)

    def _closed(self, block: OpenBlock | None) -> Sequence[Output]:
        if block is not None and block.start.type == _SERVER_CALL:
            return server_input(block)
        outputs = self._arguments_of(block)
        if block is not None and block.call is not None and not is_json(joined(block.pieces)):
            self._strange_call = True  # likewise: it would report that to the model, and ask again
        if block is not None and block.citations and self.filter is None:  # a filter shifts positions
            return [*outputs, *cited(block, self._blocks)]
        return outputs

    def _arguments_of(self, block: OpenBlock | None) -> Sequence[Output]:
        """All arguments of a call that had none in pieces, which mostly means there are none."""
        if block is None or block.call is None or block.pieces:
            return ()
        whole = bytes(block.start.input).decode("utf-8", "replace")
        block.pieces.append(literal_of(whole if whole.startswith("{") else "{}"))
        return (ToolArguments(block.call, block.pieces[0]),)

    def _stopped(self, part: e.MessageDelta, stop: str) -> Sequence[Output]:
        outputs: list[Output] = []
        for block in self._blocks.values():
            outputs += self._closed(block)
        if self.filter is not None:
            outputs += self._filtered(self.filter.end())
        if stop == "refusal":
            outputs.append(Refusal())
        usage = count_tokens(self._head, part.usage or e.RawUsage())
        if part.delta.stop_reason is None:
            usage = count_cut(self._head, self._text_bytes)
        outputs.append(Finished(self._reason(stop), usage, self._after(stop), said(self._blocks)))
        return outputs

    def _reason(self, stop: str) -> str:
        # By what is there rather than by the stop reason: clients that see tool_calls look for calls, and vice versa.
        return FINISH.get(stop) or ("tool_calls" if self._calls else "stop")

    def _after(self, stop: str) -> After:
        if stop == "tool_use" and self._calls and not self._strange_call:
            return After.PARK
        if stop in ("end_turn", "stop_sequence") and self._spoke and not self._calls:
            return After.KEEP
        return After.KILL

    def _failed(self, result: e.Result) -> Failed:
        self._take(TurnEvent.BROKE)
        return failure_of(result, self._error, self.rejection, self._reset_at)

    def _fail(self, kind: FailureKind, error: str | None = None, event: TurnEvent = TurnEvent.BROKE) -> Failed:
        self._take(event)
        return Failed(kind, None, error, self._reset_at)

    def _take(self, event: TurnEvent) -> None:
        self.state = after(TRANSITIONS, self.state, event)


def _checked(raw: bytes) -> bytes:
    """A piece as it came. It is spliced into our stream, so it must be a string literal and nothing else."""
    if raw[:1] != b'"':
        raise TurnError("cannot take a piece of an answer that is no text")
    return raw
