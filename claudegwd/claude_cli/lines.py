"""Bytes from the CLI's standard output to lines, with a bound on each."""

# The longest line seen is the answer to `initialize` (about 60 kB) and the echo of a tool result (500,000 characters,
# the CLI's own limit, up to 6 bytes each when escaped). Beyond this the stream is not what we think it is.
MAX_LINE_BYTES = 16 * 1024 * 1024


class LineTooLongError(Exception):
    """The CLI wrote more than the bound without a newline."""


class LineDecoder:
    """Cuts a byte stream at newlines; any cut of the same bytes into pieces gives the same lines."""

    def __init__(self, max_line_bytes: int = MAX_LINE_BYTES) -> None:
        self._max = max_line_bytes
        self._pieces: list[bytes] = []
        self._held = 0

    def feed(self, data: bytes) -> list[bytes]:
        """Return the lines that `data` completes, without their newline; empty lines are dropped.

        Raises LineTooLongError when the unfinished line, or a finished one, is over the bound.
        """
        first, *rest = data.split(b"\n")
        if not rest:
            self._hold(first)
            return []
        self._hold(first)
        lines = [b"".join(self._pieces), *rest[:-1]]
        self._pieces.clear()
        self._held = 0
        self._hold(rest[-1])
        if any(len(line) > self._max for line in lines):
            raise LineTooLongError(f"cannot read a line of over {self._max} bytes from the CLI")
        return [line for line in lines if line.strip()]

    @property
    def unfinished(self) -> int:
        """How many bytes wait for their newline: at the end of the stream, anything but 0 is a torn line."""
        return self._held

    def _hold(self, piece: bytes) -> None:
        if piece:
            self._pieces.append(piece)
            self._held += len(piece)
        if self._held > self._max:
            raise LineTooLongError(f"cannot read a line of over {self._max} bytes from the CLI")
