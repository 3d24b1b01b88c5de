"""What an answer's text passes through where the upstream cannot do what was asked for.

Most answers pass through none, and their pieces are never decoded. Each filter is fed with the text in any cut, and
gives the same text in any.
"""

from collections.abc import Sequence
from enum import Enum

from claudegwd.translate.turn import TextFilter


class StopsFilter:
    """Ends the answer before the sequence that is whole first, wherever the pieces are cut.

    For sequences of white space alone, which code completion lives on ("\\n") and the Messages API refuses.
    """

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = tuple(stops)
        self._held = ""
        self.stopped = False

    def feed(self, text: str) -> str:
        """Take a piece; give what cannot be the beginning of a stop any more."""
        if self.stopped:
            return ""
        text = self._held + text
        # Of two that overlap, the one that ends first: the other may have begun before it and not be whole yet.
        found = [(place + len(stop), place) for stop in self._stops if (place := text.find(stop)) >= 0]
        if found:
            self.stopped = True
            self._held = ""
            return text[: min(found)[1]]
        keep = max(_overlap(text, stop) for stop in self._stops)
        self._held = text[len(text) - keep :]
        return text[: len(text) - keep]

    def end(self) -> str:
        """What was held back was no stop."""
        held, self._held = self._held, ""
        return held


def _overlap(text: str, stop: str) -> int:
    """How many characters at the end of the text could begin the stop."""
    return next((size for size in range(min(len(stop) - 1, len(text)), 0, -1) if text.endswith(stop[:size])), 0)


class _Place(Enum):
    BEFORE = "before the object"
    INSIDE = "inside"
    STRING = "in a string"
    ESCAPE = "after a backslash"
    AFTER = "after it"


class ObjectFilter:
    """Lets the first JSON object through, and nothing around it: models put fences and words there, against all asking.

    It only finds where the object begins and ends. Whether it is JSON is for others to say.
    """

    stopped = False

    def __init__(self) -> None:
        self._place = _Place.BEFORE
        self._depth = 0

    def feed(self, text: str) -> str:
        """Take a piece; give what of it belongs to the object."""
        if self._place is _Place.AFTER:
            return ""
        start = 0
        if self._place is _Place.BEFORE:
            start = text.find("{")
            if start < 0:
                return ""
        for position in range(start, len(text)):
            self._place = self._next(text[position])
            if self._place is _Place.AFTER:
                return text[start : position + 1]
        return text[start:]

    def end(self) -> str:
        """Nothing is held back."""
        return ""

    def _next(self, character: str) -> _Place:
        match self._place, character:
            case _Place.ESCAPE, _:
                return _Place.STRING
            case _Place.STRING, "\\":
                return _Place.ESCAPE
            case _Place.STRING, '"':
                return _Place.INSIDE
            case _Place.STRING, _:
                return _Place.STRING
            case _, '"':
                return _Place.STRING
            case _, "{" | "[":
                self._depth += 1
            case _, "}" | "]":
                self._depth -= 1
        return _Place.INSIDE if self._depth > 0 else _Place.AFTER


class FilterChain:
    """Several filters, one behind the other."""

    def __init__(self, filters: Sequence[TextFilter]) -> None:
        self._filters = tuple(filters)

    def feed(self, text: str) -> str:
        """Through all of them."""
        for one in self._filters:
            text = one.feed(text)
        return text

    def end(self) -> str:
        """What the first held back goes through those behind it."""
        text = ""
        for one in self._filters:
            text = one.feed(text) + one.end()
        return text

    @property
    def stopped(self) -> bool:
        """Whether one of them has ended the answer."""
        return any(one.stopped for one in self._filters)
