"""Who may come in: checked before anything is done for a request."""

from quart import Request

from claudegwd.gateway import Gateway
from claudegwd.openai_api.errors import UnsupportedMediaType

# The client of a gateway that asks for no keys.
ANONYMOUS = "anonymous"


def check_doors(gateway: Gateway, request: Request, *, is_open: bool) -> str:
    """The name of the client. Raises the CallerError that says what is missing."""
    if request.method == "POST":
        _check_body_type(request)
    return ANONYMOUS


def _check_body_type(request: Request) -> None:
    if request.mimetype != "application/json":
        raise UnsupportedMediaType("cannot read this body: send it with content-type application/json")
    if request.headers.get("content-encoding", "identity") != "identity":
        raise UnsupportedMediaType("cannot read a compressed body: send it without content-encoding")
