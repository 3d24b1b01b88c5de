"""How much of everything one request may hold: checked before any work is done for it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Bounds:
    """Upper bounds of a request body. The defaults pass what real agents send and stop what can only be an attack."""

    # JSON values in a body. 32 MiB of "[]," would be ten million lists, 600 MB of memory; a request with 100 tools of
    # 10 KB each holds some 30,000.
    max_values: int = 500_000
    # Agent loops of a thousand rounds are two thousand messages; the Messages API itself stops at 100,000.
    max_messages: int = 10_000
    # The Messages API takes 100 images in a request; texts come in a few parts.
    max_parts: int = 1_000
    # OpenAI's strict mode stops at 10 levels of a schema, each of them two or three of JSON. Far below the depth at
    # which walking a value would end in a RecursionError.
    max_depth: int = 100
    # Each choice is a conversation on a process of its own; workers.max is 8 by default.
    max_n: int = 8
    # OpenAI takes 128; agents with several MCP servers pass that, so leave them room.
    max_tools: int = 1_000
    # The longest model ids (those of cloud resellers) have a little over 100 characters.
    max_model_chars: int = 256
    # For what names something: call ids, message names, user, session_id. Some gateways pack a model's thought
    # signature into the ids of calls, which makes them kilobytes long; a history with such ids may come on to us.
    max_id_chars: int = 16_384
    # Browsers and proxies stop near this length; data: URLs are bounded by the body.
    max_url_chars: int = 8_192
