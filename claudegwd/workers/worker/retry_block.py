"""Keeps the CLI from sending further upstream requests on its own after an answer.

It would do that within 12 ms if the answer is cut off, broken off or blank, or calls an undeclared tool. Killing the
process can be too late on a busy machine, and costs a start. So as soon as a question has been sent, the CLI loses the
upstream's address: the running request is not affected, and further ones fail inside the process (observed). It gets
the address back while nobody waits. Both together cost the CLI 12 to 20 ms of processor time.

Rejected requests are different: the CLI may have good reason to retry. Most retries keep the address of the first
request (observed: without a field or a beta that was rejected). If the login is rejected, the CLI gets the address back
at once: it reads, fetches or refreshes the login, and asks again at least 0.3 s later (observed).
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from claudegwd.claude_cli.launch import login_of
from claudegwd.keys.key import BASE_URL_VARIABLE, NO_URL

# The statuses after which the CLI may renew its login. (A 403 only from reading its code.)
RENEWS_LOGIN: Final = frozenset((401, 403))

_OF_CLOUD: Final[Mapping[str, str]] = MappingProxyType(
    {
        "CLAUDE_CODE_USE_BEDROCK": "ANTHROPIC_BEDROCK_BASE_URL",
        "CLAUDE_CODE_USE_VERTEX": "ANTHROPIC_VERTEX_BASE_URL",
    }
)


def address_variable(env: Mapping[str, str]) -> str:
    """The variable with the upstream's address for a CLI with this environment. If it is empty, the CLI uses
    the service's default address."""
    return _OF_CLOUD.get(login_of(env), BASE_URL_VARIABLE)


def blocking(variable: str) -> dict[str, Any]:
    """The settings that leave the CLI without an address."""
    return {"env": {variable: NO_URL}}
