"""Filters for an answer's text, for features that the upstream lacks.

Most answers need none, and their pieces are never decoded. A filter may be fed the text in pieces of any size, and its
output does not depend on where they are cut.
"""

import re
from collections.abc import Sequence
from enum import Enum

from claudegwd.translate.answer.turn import TextFilter


class StopsFilter:
    """Ends the answer before the sequence that is completed first, wherever the pieces are cut.

    For sequences of only white space, which code completion needs ("\\n") and the Messages API rejects.
    """

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = tuple(stops)
        self._held = ""
        self.stopped = False

    def feed(self, text: str) -> str:
        """Take a piece; return what can no longer be the beginning of a stop."""
        if self.stopped:
            return ""
        text = self._held + text
        # If two overlap, the one that ends first: the other may have begun earlier and still be incomplete.
        found = [(place + len(stop), place) for stop in self._stops if (place := text.find(stop)) >= 0]
        if found:
            self.stopped = True
            self._held = ""
            return text[: min(found)[1]]
        keep = max(_overlap(text, stop) for stop in self._stops)
        self._held = text[len(text) - keep :]
        return text[: len(text) - keep]

    def end(self) -> str:
        """What was held back was not a stop."""
        held, self._held = self._held, ""
        return held


def _overlap(text: str, stop: str) -> int:
    """How many characters at the end of the text could begin the stop."""
    return next((size for size in range(min(len(stop) - 1, len(text)), 0, -1) if text.endswith(stop[:size])), 0)


class _Place(Enum):
    BEFORE = "before the object"
    INSIDE = "inside"
    STRING = "in a string"
    AFTER = "after it"


_BEGINS = re.compile(r'\{\s*(?:["}]|$)')  # "{name}" and "{{ }}" in the words before it do not match
_STRUCTURE = re.compile(r'["{}\[\]]')
_STRING_END = re.compile(r'(?:[^"\\]|\\.)*+"', re.DOTALL)


class ObjectFilter:
    """Passes only the first JSON object: models put fences and words around it, whatever they are told.

    It only finds where the object begins and ends, not whether it is JSON.
    """

    stopped = False

    def __init__(self) -> None:
        self._place = _Place.BEFORE
        self._depth = 0
        self._held = ""  # a bracket that may begin it, and white space after it; in a string, half an escape

    def feed(self, text: str) -> str:
        """Take a piece; return its part of the object."""
        if self._place is _Place.AFTER:
            return ""
        text, self._held = self._held + text, ""
        start = 0
        if self._place is _Place.BEFORE:
            begins = _BEGINS.search(text)
            if begins is None:
                return ""
            start = begins.start()
            if begins.group()[-1] not in '"}':
                self._held = text[start:]
                return ""
            self._place = _Place.INSIDE
        end = self._end(text, start)
        return text[start:end]

    def end(self) -> str:
        """What was held back, if the object was cut off there."""
        held, self._held = self._held, ""
        return held

    def _end(self, text: str, position: int) -> int:
        """Where the object ends in this text."""
        while True:
            if self._place is _Place.STRING:
                found = _STRING_END.match(text, position)
                if found is None:
                    return self._without_half_escape(text, position)
                self._place, position = _Place.INSIDE, found.end()
            found = _STRUCTURE.search(text, position)
            if found is None:
                return len(text)
            position = found.end()
            match found.group():
                case '"':
                    self._place = _Place.STRING
                case "{" | "[":
                    self._depth += 1
                case _:
                    self._depth -= 1
                    if self._depth <= 0:
                        self._place = _Place.AFTER
                        return position

    def _without_half_escape(self, text: str, position: int) -> int:
        """The end of a text that ends within a string: a backslash is held until its character arrives."""
        slashes = len(text) - len(text[position:].rstrip("\\")) - position
        if slashes % 2:
            self._held = "\\"
            return len(text) - 1
        return len(text)


class FilterChain:
    """Several filters in sequence."""

    def __init__(self, filters: Sequence[TextFilter]) -> None:
        self._filters = tuple(filters)

    def feed(self, text: str) -> str:
        """Through all filters."""
        for one in self._filters:
            text = one.feed(text)
        return text

    def end(self) -> str:
        """What each filter held back goes through those after it."""
        text = ""
        for one in self._filters:
            text = one.feed(text) + one.end()
        return text

    @property
    def stopped(self) -> bool:
        """Whether one of them ended the answer."""
        return any(one.stopped for one in self._filters)
