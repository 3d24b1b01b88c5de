"""Splits bytes from the CLI's stdout into lines of bounded length."""

from collections.abc import Sequence

# The longest lines seen are the answer to `initialize` (about 60 kB) and the echo of a tool result (500,000 characters,
# the CLI's own limit, up to 6 bytes each when escaped). Beyond this the stream is not what we think it is.
MAX_LINE_BYTES = 16 * 1024 * 1024


class LineTooLongError(Exception):
    """The CLI wrote more than the bound without a newline. `lines` are those completed before that."""

    def __init__(self, bound: int, lines: Sequence[bytes]) -> None:
        super().__init__(f"cannot read a line of more than {bound} bytes from the CLI")
        self.lines = lines


class LineDecoder:
    """Splits a byte stream at newlines; the lines do not depend on how the bytes are cut into pieces."""

    def __init__(self, max_line_bytes: int = MAX_LINE_BYTES) -> None:
        self._max = max_line_bytes
        self._pieces: list[bytes] = []
        self._held = 0

    def feed(self, data: bytes) -> list[bytes]:
        """Return the lines that `data` completes, without their newline; blank lines are dropped.

        Raises LineTooLongError if a line, finished or not, exceeds the bound; feed no more then.
        """
        first, *rest = data.split(b"\n")
        self._pieces.append(first)
        self._held += len(first)
        lines: list[bytes] = []
        if rest:
            lines = [b"".join(self._pieces), *rest[:-1]]
            self._pieces = [rest[-1]]
            self._held = len(rest[-1])
        for number, line in enumerate(lines):
            if len(line) > self._max:
                raise LineTooLongError(self._max, _not_blank(lines[:number]))
        if self._held > self._max:
            raise LineTooLongError(self._max, _not_blank(lines))
        return _not_blank(lines)

    @property
    def unfinished(self) -> int:
        """How many bytes still lack a newline: at the end of the stream, anything but 0 is a truncated line."""
        return self._held


def _not_blank(lines: Sequence[bytes]) -> list[bytes]:
    return [line for line in lines if line.strip()]
