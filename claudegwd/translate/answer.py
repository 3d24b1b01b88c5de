"""The answer of a turn, gathered: for a reply in one piece, and for the digest of its conversation."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec

from claudegwd.translate.turn import (
    Failed,
    Finished,
    Output,
    Reasoning,
    Started,
    Text,
    ToolArguments,
    ToolStart,
)


def joined(pieces: Sequence[bytes]) -> str:
    """The text of JSON string literals written one after the other."""
    literal = b'"' + b"".join(bytes(piece)[1:-1] for piece in pieces) + b'"'
    try:
        return msgspec.json.decode(literal, type=str)
    except msgspec.DecodeError:
        # Half of a surrogate pair, which the standard library lets pass and UTF-8 does not.
        return str(json.loads(literal)).encode("utf-16", "surrogatepass").decode("utf-16", "replace")


@dataclass(slots=True)
class GatheredCall:
    id: str
    name: str
    pieces: list[bytes] = field(default_factory=list)

    @property
    def arguments(self) -> str:
        return joined(self.pieces)


@dataclass(slots=True)
class Answer:
    """Fed with the outputs of one turn."""

    model: str = ""
    calls: list[GatheredCall] = field(default_factory=list)
    finished: Finished | None = None
    failed: Failed | None = None
    _text: list[bytes] = field(default_factory=list)
    _reasoning: list[bytes] = field(default_factory=list)

    def add(self, outputs: Sequence[Output]) -> None:
        for output in outputs:
            match output:
                case Text(raw=raw):
                    self._text.append(raw)
                case Reasoning(raw=raw):
                    self._reasoning.append(raw)
                case ToolArguments(index=index, raw=raw):
                    self.calls[index].pieces.append(raw)
                case ToolStart(id=ident, name=name):
                    self.calls.append(GatheredCall(ident, name))
                case Started(model=model):
                    self.model = model
                case Finished():
                    self.finished = output
                case Failed():
                    self.failed = output

    @property
    def text(self) -> str:
        return joined(self._text)

    @property
    def reasoning(self) -> str:
        return joined(self._reasoning)
