"""The maximum size of every part of a request, checked before any other work is done for it."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Bounds:
    """Upper bounds of a request body. The defaults pass what real agents send and stop what can only be an attack."""

    # JSON values in a body. 32 MiB of "[]," would be ten million lists and 600 MB of memory; a request with 100 tools
    # of 10 KB each has some 30,000.
    max_values: int = 500_000
    # An agent loop of a thousand rounds has two thousand messages; the Messages API's own limit is 100,000.
    max_messages: int = 10_000
    # The Messages API accepts 100 images per request; texts come in a few parts.
    max_parts: int = 1_000
    # OpenAI's strict mode allows 10 levels in a schema, each of them two or three in JSON. Far below the depth at which
    # walking a value raises RecursionError.
    max_depth: int = 100
    # Each choice is a conversation on a process of its own; workers.max is four per core by default.
    max_n: int = 8
    # OpenAI accepts 128; agents with several MCP servers exceed that, so leave them room.
    max_tools: int = 1_000
    # The longest model ids (those of cloud resellers) have a little over 100 characters.
    max_model_chars: int = 256
    # For names and ids: call ids, message names, user, session_id. Some gateways pack a model's thought signature into
    # call ids, which makes them kilobytes long; a history with such ids may be sent to us.
    max_id_chars: int = 16_384
    # Browsers and proxies stop near this length; data: URLs are bounded by the body.
    max_url_chars: int = 8_192


BOUNDS: Final = Bounds()  # what is in effect
