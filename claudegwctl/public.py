"""Call the daemon's public API (OpenAI's, over HTTP), as any other client does.

Only for commands that are clients themselves; all others use the control socket. Import it only where it is needed:
http.client alone takes 30 ms.
"""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from claudegwctl.problems import NotRunning, Problem, Refused

# The client's key: unlike an argument, not every user of the machine can read it.
KEY_VARIABLE: Final = "GATEWAY_KEY"
# The gateway sends a comment every 15 s while a model thinks; four of them missing means that it is gone.
SILENCE_SECONDS: Final = 60.0
# One event of a stream holds a few tokens, or the whole of a tool's arguments.
MAX_EVENT_BYTES: Final = 16 * 2**20
# A wildcard bind is not an address to connect to.
_ANY: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared, not bound


@dataclass(frozen=True)
class Address:
    host: str
    port: int

    @property
    def url(self) -> str:
        """With /v1, as clients expect it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}/v1"


def address_of(status: Mapping[str, Any]) -> Address:
    """The address to call, from the answer to GET /v1/status: loopback if the daemon listens there. Raises Problem."""
    found = [_address(bind) for bind in status.get("binds") or ()]
    for address in found:
        if address.host in {"127.0.0.1", "::1"}:
            return address
    if not found:
        raise Problem("cannot ask claudegwd: it is not listening yet; try again in a moment")
    return found[0]


def client_key(env: Mapping[str, str]) -> str | None:
    """The client's key in the environment. Raises Problem, without the key, if it cannot be one."""
    key = env.get(KEY_VARIABLE, "").strip()
    if any(not "!" <= letter <= "~" for letter in key):
        raise Problem(f"cannot use the key in {KEY_VARIABLE}: it contains a character that no key has; copy it again")
    return key or None


def _address(bind: str) -> Address:
    host, _, port = bind.rpartition(":")
    host = host.strip("[]")
    return Address(_ANY.get(host, host), int(port))


@contextmanager
def events(
    address: Address, path: str, body: Mapping[str, Any], key: str | None
) -> Iterator[tuple[Mapping[str, str], Iterator[dict[str, Any]]]]:
    """POST the body, and yield the headers and events of the streamed answer. Raises NotRunning, Refused or Problem."""
    headers = {"Content-Type": "application/json"}
    if key:
        headers["Authorization"] = f"Bearer {key}"
    connection = http.client.HTTPConnection(address.host, address.port, timeout=SILENCE_SECONDS)
    try:
        connection.request("POST", f"/v1{path}", json.dumps(body, ensure_ascii=False).encode(), headers)
        response = connection.getresponse()
        if response.status != http.client.OK:
            raise _refusal(response.status, response.read(MAX_EVENT_BYTES))
        yield {name.lower(): value for name, value in response.getheaders()}, _events(response)
    except ConnectionRefusedError:
        raise NotRunning(f"cannot reach {address.url}: nothing is listening there; see `claudegwctl status`") from None
    except TimeoutError:
        raise Problem(f"cannot wait any longer: no data for {SILENCE_SECONDS:g} s; see `claudegwctl logs`") from None
    except (OSError, http.client.HTTPException):
        raise Problem("cannot read the answer: claudegwd closed the connection; see `claudegwctl logs`") from None
    finally:
        connection.close()


def _events(response: http.client.HTTPResponse) -> Iterator[dict[str, Any]]:
    """The JSON of each `data:` line up to [DONE]."""
    while line := response.readline(MAX_EVENT_BYTES):
        name, _, data = line.strip().partition(b":")
        if name != b"data":
            continue
        if data.strip() == b"[DONE]":
            return
        event = _json(data)
        if "error" in event:
            raise _error(event["error"], "the answer is incomplete")
        yield event
    raise Problem("cannot read the whole answer: claudegwd closed the connection; see `claudegwctl logs`")


def _refusal(status: int, data: bytes) -> Problem:
    error = _json(data).get("error")
    return _error(error, f"cannot do this: claudegwd answered with status {status}; see `claudegwctl logs`")


def _error(error: object, otherwise: str) -> Refused:
    if isinstance(error, dict) and isinstance(error.get("message"), str):
        return Refused(error["message"], str(error.get("code") or error.get("type") or "unknown"))
    return Refused(otherwise, "unknown")


def _json(data: bytes) -> dict[str, Any]:
    try:
        found = json.loads(data)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def texts(events: Iterator[Mapping[str, Any]]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The text of each chat completion event ("" if it has none), and the event."""
    for event in events:
        choices: Sequence[Mapping[str, Any]] = event.get("choices") or ()
        yield (choices[0].get("delta", {}).get("content") or "" if choices else ""), event
