"""Keeps the CLI from sending further upstream requests on its own after an answer.

It would do that within 12 ms if the answer is cut off, broken off or blank, or calls an undeclared tool. Killing the
process can be too late on a busy machine, and costs a start. So while the answer arrives, the CLI loses the upstream's
address: the running request is not affected, and further ones fail inside the process (observed). It gets the address
back while nobody waits. Both together cost the CLI some 12 ms of processor time.

Bedrock and Vertex have addresses of their own, on which this has no effect; with them the process is killed instead.
"""

from collections.abc import Mapping
from typing import Any, Final

from claudegwd.claude_cli.launch import CLOUDS, login_of
from claudegwd.keys.key import BASE_URL_VARIABLE, NO_URL

SETTINGS: Final[Mapping[str, Any]] = {"env": {BASE_URL_VARIABLE: NO_URL}}


def can_block(env: Mapping[str, str]) -> bool:
    """Whether this works for a CLI with this environment."""
    return login_of(env) not in CLOUDS
