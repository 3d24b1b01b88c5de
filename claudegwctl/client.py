"""Talk to the daemon: HTTP/1.1 over its Unix socket.

Written by hand for a quick start: http.client alone takes 30 ms to import, and nothing here needs it. The other side
is our own daemon, and each connection carries one request.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, Final

from claudegwctl.problems import NotRunning, Problem, Refused, UsageError
from claudegwd.contract import MAX_SOCKET_PATH_BYTES

# A reload may wait for a busy disk; answers otherwise take milliseconds.
ANSWER_SECONDS: Final = 30.0
# For views that poll: a healthy daemon answers in milliseconds; one that hangs has to be reported soon.
LOOK_SECONDS: Final = 5.0
# Testing a key starts a CLI and asks a model.
SLOW_SECONDS: Final = 120.0
# Completion must not make the user wait for a daemon that hangs.
COMPLETION_SECONDS: Final = 1.0
_MAX_LINE: Final = 65_536


class Daemon:
    """The daemon behind a control socket. Raises NotRunning, Refused, or Problem if it gives no usable answer."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def get(self, path: str, query: Mapping[str, object] | None = None) -> dict[str, Any]:
        return self.ask("GET", path + _query(query))

    def ask(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, seconds: float = ANSWER_SECONDS
    ) -> dict[str, Any]:
        """Send one request and return its answer, a JSON object. The parts of `path` must be quoted (see `quoted`)."""
        with self._exchange(method, path, body, seconds) as stream:
            return _json(b"".join(stream))

    def lines(
        self, path: str, query: Mapping[str, object], *, follow: bool, seconds: float = ANSWER_SECONDS
    ) -> Iterator[dict[str, Any]]:
        """JSON objects, one per line, as they arrive. With `follow` they end only when the daemon does: NotRunning."""
        with self._exchange("GET", path + _query(query), None, seconds, follow=follow) as stream:
            rest = b""
            for piece in _until_it_stops(stream) if follow else stream:
                *whole, rest = (rest + piece).split(b"\n")
                for line in whole:
                    yield _json(line)

    @contextmanager
    def _exchange(
        self, method: str, path: str, body: Mapping[str, Any] | None, seconds: float, *, follow: bool = False
    ) -> Iterator[Iterator[bytes]]:
        head = _head(method, path, body)
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
            sock.settimeout(min(seconds, ANSWER_SECONDS))
            self._connect(sock)
            sock.settimeout(seconds)
            try:
                sock.sendall(head)
                with sock.makefile("rb") as file:
                    status, headers = _read_head(file)
                    stream = _body(file, headers)
                    if status >= 400:
                        raise _refusal(status, b"".join(stream))
                    if follow:
                        sock.settimeout(None)  # from here on, silence is normal
                    yield stream
            except TimeoutError:
                raise Problem(
                    f"cannot get an answer from claudegwd within {seconds:g} s: it hangs, or was suspended; "
                    "see its log, or restart it"
                ) from None
            except (OSError, EOFError, ValueError):
                raise Problem("cannot read the answer: claudegwd closed the connection; see its log") from None

    def _connect(self, sock: socket.socket) -> None:
        try:
            sock.connect(str(self.path))
        except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError):
            raise NotRunning(
                f"cannot reach claudegwd at {self.path}: it is not running; start it (`claudegwctl start` if it is "
                "a service, otherwise `claudegwd`), or give its socket with --socket"
            ) from None
        except PermissionError:
            raise Problem(
                f"cannot open {self.path}: permission denied; join its group (`ls -l` shows it) and log in again, "
                "or use sudo"
            ) from None
        except OSError as error:
            if len(os.fsencode(self.path)) > MAX_SOCKET_PATH_BYTES:
                raise Problem(
                    f"cannot reach claudegwd at {self.path}: a socket path can have at most {MAX_SOCKET_PATH_BYTES} "
                    "bytes; use a shorter one"
                ) from None
            raise Problem(f"cannot reach claudegwd at {self.path}: {error.strerror or 'no answer'}") from None


def _until_it_stops(stream: Iterator[bytes]) -> Iterator[bytes]:
    with suppress(OSError, EOFError):
        yield from stream
    raise NotRunning("cannot follow the log any longer: claudegwd has stopped")


def quoted(name: str) -> str:
    """A name, quoted as one part of a path. Raises UsageError if it is empty: that would be a different path."""
    if not name:
        raise UsageError("cannot look that up: the name is empty")
    from urllib.parse import quote

    return quote(name, safe="")


def _query(query: Mapping[str, object] | None) -> str:
    if not query:
        return ""
    from urllib.parse import quote

    return "?" + "&".join(f"{name}={quote(str(value), safe='')}" for name, value in query.items())


def _head(method: str, path: str, body: Mapping[str, Any] | None) -> bytes:
    data = b"" if body is None else json.dumps(body, ensure_ascii=False).encode()
    lines = [f"{method} {path} HTTP/1.1", "Host: claudegwd", "Connection: close"]
    if body is not None:
        lines += ["Content-Type: application/json", f"Content-Length: {len(data)}"]
    elif method != "GET":
        lines.append("Content-Length: 0")
    return "\r\n".join([*lines, "", ""]).encode() + data


def _read_head(file: IO[bytes]) -> tuple[int, dict[str, str]]:
    first = _line(file).split(" ")
    headers: dict[str, str] = {}
    while line := _line(file):
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    return int(first[1] if len(first) > 1 else ""), headers


def _line(file: IO[bytes]) -> str:
    line = file.readline(_MAX_LINE)
    if not line.endswith(b"\n"):
        raise EOFError
    return line.rstrip(b"\r\n").decode("latin-1")


def _body(file: IO[bytes], headers: Mapping[str, str]) -> Iterator[bytes]:
    if headers.get("transfer-encoding", "").lower() == "chunked":
        while size := int(_line(file), 16):
            yield _exactly(file, size)
            _line(file)
    elif "content-length" in headers:
        yield _exactly(file, int(headers["content-length"]))
    else:
        # HTTP/1.1 allows an answer that ends with the connection.
        while piece := file.read1(_MAX_LINE):  # type: ignore[attr-defined]
            yield piece


def _exactly(file: IO[bytes], size: int) -> bytes:
    data = file.read(size)
    if len(data) != size:
        raise EOFError
    return data


def _json(data: bytes) -> dict[str, Any]:
    found = json.loads(data)
    if not isinstance(found, dict):
        raise ValueError("not an object")  # noqa: TRY004 - one type of error for any unusable answer
    return found


def _refusal(status: int, data: bytes) -> Refused:
    try:
        error = _json(data)["error"]
        return Refused(str(error["message"]), str(error["code"]))
    except (ValueError, KeyError, TypeError):
        return Refused(f"cannot do this: claudegwd answered with status {status}; see its log", "unknown")
