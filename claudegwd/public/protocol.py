"""Which of the two outer protocols a request uses: OpenAI's, unless it identifies itself as Anthropic's."""

from quart import request

from claudegwd.public.requests import path_of

ROUTE = "/v1/messages"
VERSION_HEADER = "anthropic-version"


def is_anthropic() -> bool:
    """Judged by the route, if only Anthropic's API has it; otherwise by its clients' header."""
    path = path_of(request)
    if path == ROUTE or path.startswith(f"{ROUTE}/"):
        return True
    shared = request.url_rule is None or path == "/v1/models" or path.startswith("/v1/models/")
    return shared and VERSION_HEADER in request.headers
