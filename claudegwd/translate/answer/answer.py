"""The collected answer of a turn: for replies that are not streamed, and for the digest of its conversation."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from claudegwd.translate.answer.literals import joined as joined
from claudegwd.translate.answer.outputs import (
    Cited,
    Failed,
    Finished,
    Output,
    Reasoning,
    Refusal,
    ServerToolStart,
    Started,
    TextPiece,
    TokenCount,
    ToolArguments,
    ToolStart,
)


@dataclass(slots=True)
class GatheredCall:
    """A call of the client's tool."""

    id: str
    name: str
    pieces: list[bytes] = field(default_factory=list)

    @property
    def arguments(self) -> str:
        """As the model wrote them; not necessarily JSON."""
        return joined(self.pieces)


@dataclass(slots=True)
class ServerUses:
    """How often tools that run upstream were used."""

    web_searches: int = 0
    web_fetches: int = 0
    code_executions: int = 0

    def count(self, name: str) -> None:
        """Count a use of this tool. Code execution is several tools by now."""
        if name == "web_search":
            self.web_searches += 1
        elif name == "web_fetch":
            self.web_fetches += 1
        elif name.endswith("code_execution"):
            self.code_executions += 1


@dataclass(slots=True)
class Answer:
    """Fed with the outputs of one turn.

    `counted`: the tokens that upstream has reported, which count even if the answer breaks off. `cost`: US dollars, as
    reported by the CLI after the answer. `on_used` is called whenever one of the two changes.
    """

    model: str = ""
    refusal: str | None = None
    calls: list[GatheredCall] = field(default_factory=list)
    citations: list[Cited] = field(default_factory=list)
    used: ServerUses = field(default_factory=ServerUses)
    finished: Finished | None = None
    failed: Failed | None = None
    counted: TokenCount = field(default_factory=TokenCount)
    cost: float | None = None
    on_used: Callable[[], None] = lambda: None
    _text: list[bytes] = field(default_factory=list)
    _reasoning: list[bytes] = field(default_factory=list)

    def add(self, outputs: Sequence[Output]) -> None:
        """Take outputs in the order in which the turn produced them."""
        for output in outputs:
            match output:
                case TextPiece(raw=raw):
                    self._text.append(raw)
                case Reasoning(raw=raw):
                    self._reasoning.append(raw)
                case Refusal(raw=raw):
                    self.refusal = joined([raw])
                case ToolArguments(index=index, raw=raw):
                    self.calls[index].pieces.append(raw)
                case ToolStart(id=ident, name=name):
                    self.calls.append(GatheredCall(ident, name))
                case Started(model=model, usage=usage):
                    self.model = model
                    self._count(usage)
                case Finished(usage=usage):
                    self.finished = output
                    self._count(usage)
                case ServerToolStart(name=name):
                    self.used.count(name)
                    self.on_used()
                case Cited():
                    self.citations.append(output)
                case Failed():
                    self.failed = output

    def spend(self, dollars: float) -> None:
        """Add the cost that the CLI reported."""
        self.cost = (self.cost or 0.0) + dollars
        self.on_used()

    def recount(self, completion: int) -> None:
        """Take the count that the CLI reported for an answer whose end had none."""
        if self.finished is not None and self.finished.usage.estimated and completion > self.counted.completion:
            self.counted = replace(self.counted, completion=completion)
            self.on_used()

    def _count(self, usage: TokenCount) -> None:
        if not usage.estimated:
            self.counted = usage
            self.on_used()

    @property
    def text(self) -> str:
        """The text that a stream gives piece by piece."""
        return joined(self._text)

    @property
    def characters(self) -> int:
        """Roughly the number of characters of all kinds: escapes count as written."""
        calls = sum(len(piece) for call in self.calls for piece in call.pieces)
        return sum(map(len, self._text)) + sum(map(len, self._reasoning)) + calls

    def spoken(self) -> dict[str, object]:
        """Everything that was said, for the log if wanted."""
        calls = [{"name": call.name, "arguments": call.arguments} for call in self.calls]
        return {"reasoning": self.reasoning, "text": self.text, "calls": calls}

    @property
    def reasoning(self) -> str:
        """The model's thinking, or its summary."""
        return joined(self._reasoning)
