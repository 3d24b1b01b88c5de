"""How each request field that Anthropic defines is handled: passed on, rejected here, or ignored and named."""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

# Go to the upstream unchanged; what the gateway has to understand of them is read elsewhere.
PASSED_ON: Final = frozenset(
    (
        "cache_control", "compaction", "container", "context_management", "diagnostics", "inference_geo", "max_tokens",
        "mcp_servers", "messages", "metadata", "output_config", "output_format", "service_tier", "speed",
        "stop_sequences", "system", "temperature", "thinking", "tool_choice", "tools", "top_k", "top_p",
    )
)  # fmt: skip
# Read by the gateway, which passes them on in its own way.
READ: Final = frozenset(("betas", "model", "stream"))
KNOWN: Final = PASSED_ON | READ

# The upstream account belongs to the gateway, and serves several clients.
_ACCOUNT: Final = "it concerns the account behind the gateway, which is not yours; omit it"
REFUSED: Final[Mapping[str, str]] = MappingProxyType(
    {
        "billing_policy": _ACCOUNT,
        "fallback_credit_token": _ACCOUNT,
        "fallbacks": "only the gateway's operator can set fallback models; omit it",
        "thread": _ACCOUNT,
        "user_profile_id": _ACCOUNT,
        "workspace_id": _ACCOUNT,
    }
)

# Without upstream keys the CLI writes the request, and cannot express these. Without them it would be another request,
# so it is rejected.
NOT_BY_TRANSCRIPT: Final = ("compaction", "container", "context_management", "mcp_servers", "output_format", "speed")
# The answer is correct without these. The CLI names its own user, and marks what is to be cached.
IGNORED_BY_TRANSCRIPT: Final = ("cache_control", "diagnostics", "inference_geo", "metadata", "service_tier")

# The CLI always uses the first for the upstream, whatever the client names, so responses have that form. The one before
# it has other streams.
UPSTREAM_VERSION: Final = "2023-06-01"
VERSIONS: Final = (UPSTREAM_VERSION, "2026-10-21")

# More than any model generates, and small enough for every number parser on the way.
MAX_TOKENS: Final = 2**31 - 1
# Per request; each is a short word.
MAX_BETAS: Final = 64
BETA: Final = re.compile(r"[A-Za-z0-9._-]{1,128}")

# Types of tool_choice that only OpenAI's API has, besides strings.
OPENAI_CHOICES: Final = ("function", "allowed_tools", "custom")
# Fields that only OpenAI's API has: such a body is meant for another route.
OPENAI_ONLY: Final = (
    "max_completion_tokens", "response_format", "n", "stop", "stream_options", "functions", "function_call", "input",
    "reasoning_effort", "frequency_penalty", "presence_penalty", "logit_bias", "logprobs", "parallel_tool_calls",
)  # fmt: skip
