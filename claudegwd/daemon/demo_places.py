"""The directories of a demo, separate from those of a real gateway that may run at the same time."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from claudegwd import contract

BIND_VARIABLE: Final = "CLAUDEGWD_SERVER__BIND"
_SOCKET_VARIABLES: Final = ("CLAUDEGWD_SOCKET", "CLAUDEGWD_CONTROL__SOCKET")
# The configuration's default; if it is taken, the demo lets the system choose another.
_USUAL_PORT: Final = 8000


# A demo that others can reach, as in a container, requires a key too. This one is no secret: there is nothing to spend.
DEMO_CLIENT_KEY: Final = "cgw-opens-nothing-but-the-demo"


def demo_places(env: Mapping[str, str], scratch: Path) -> dict[str, str]:
    """What the demo adds to `env`: its own state and configuration in `scratch`, which it leaves empty, and its own
    control socket and port if the usual ones are in use. What is set in the environment takes precedence, including
    client keys; under a service manager, which provides the places, nothing is added."""
    if env.get("NOTIFY_SOCKET"):
        return {}
    own = {"STATE_DIRECTORY": str(scratch), "CONFIGURATION_DIRECTORY": str(scratch)}
    if not any(env.get(name) for name in _SOCKET_VARIABLES) and _answers(contract.daemon_socket_path(env)):
        own["CLAUDEGWD_SOCKET"] = str(scratch / contract.SOCKET_NAME)
    if not env.get(BIND_VARIABLE) and _is_taken(_USUAL_PORT):
        own[BIND_VARIABLE] = "127.0.0.1:0"
    if not env.get("API_KEYS"):
        own["API_KEYS"] = DEMO_CLIENT_KEY
    return own


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
        try:
            asking.connect(str(path))
        except OSError:
            return False
    return True


def _is_taken(port: int) -> bool:
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        return True
    return False
