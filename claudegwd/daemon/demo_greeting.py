"""What the demo suggests to a new user."""

import os
import shlex
import shutil
import sys
from pathlib import Path

from claudegwd.daemon.demo_places import DEMO_CLIENT_KEY
from claudegwd.gateway.gateway import Gateway


def greet(gateway: Gateway) -> None:
    """Write it to stdout."""
    address = gateway.life.binds[0].replace("0.0.0.0", "127.0.0.1")  # noqa: S104 - compared, not bound
    sys.stdout.write(
        "The demo gateway is ready. Try:\n\n"
        f"  {_chat_line(gateway)}\n\n"
        "or, like any other client:\n\n"
        f"  curl -N http://{address}/v1/chat/completions -H 'content-type: application/json' \\\n"
        f"    {_key_header(gateway)}"
        """-d '{"model": "sonnet", "stream": true, "messages": [{"role": "user", "content": "Hello!"}]}'\n\n"""
    )
    sys.stdout.flush()


def _chat_line(gateway: Gateway) -> str:
    """The control CLI beside this program, as a shell finds it, with the socket if needed."""
    beside = Path(sys.argv[0]).with_name("claudegwctl")
    found = shutil.which("claudegwctl")
    name = "claudegwctl" if found and Path(found).resolve() == beside.resolve() else str(beside)
    own = gateway.launcher.env.get("CLAUDEGWD_SOCKET", "")
    socket = f" --socket {shlex.quote(own)}" if own != os.environ.get("CLAUDEGWD_SOCKET", "") else ""
    key = " --temporary-key" if gateway.needs_key() else ""
    return f"{name if beside.exists() else 'claudegwctl'}{socket} chat{key}"


def _key_header(gateway: Gateway) -> str:
    """For curl, if the demo requires a key; a key that is not the demo's own is not shown."""
    if not gateway.needs_key():
        return ""
    ours = gateway.launcher.env.get("API_KEYS") == DEMO_CLIENT_KEY
    return f"-H 'authorization: Bearer {DEMO_CLIENT_KEY if ours else 'KEY'}' "
