"""The one place where tokens are taken out of texts before anybody reads them. Pure but for the register of tokens.

Two nets: every token this process was told about, wherever it stands, and whatever looks like one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

REDACTED: Final = "[redacted]"

# A shorter "token" would cut holes into ordinary words; such a key is too weak to be worth hiding.
MIN_TOKEN_CHARACTERS: Final = 8

# sk-… and cgw-… are what Anthropic, OpenAI and this gateway hand out; eight characters keep "sk-learn" readable.
_SHAPES: Final = re.compile(
    r"""
    \b(?:sk|cgw)-[A-Za-z0-9._~+/=-]{8,}
    | (?P<scheme>\bbearer\s+)[A-Za-z0-9._~+/=-]{4,}
    | (?P<name>\b(?:x-api-key|authorization|anthropic_auth_token|anthropic_api_key|claude_code_oauth_token)
        ["']?\s*[:=]\s*["']?)(?:(?:bearer|basic)\s+)?[^\s"',;]{4,}
    """,
    re.IGNORECASE | re.VERBOSE,
)


def _shape(match: re.Match[str]) -> str:
    return (match["scheme"] or match["name"] or "") + REDACTED


class Redactor:
    """Removes the tokens it knows, and what looks like one.

    The caller gives every token once, as soon as it is read; giving it again is harmless. A token once known stays
    known: it may still stand in a late log line after its key was removed.
    """

    def __init__(self, tokens: Iterable[str] = ()) -> None:
        self._tokens: set[str] = set()
        self._pattern: re.Pattern[str] | None = None
        self.know(tokens)

    def know(self, tokens: Iterable[str]) -> None:
        new = {token for token in tokens if len(token) >= MIN_TOKEN_CHARACTERS} - self._tokens
        if not new:
            return
        self._tokens |= new
        # The longest first: one token may begin with another.
        self._pattern = re.compile("|".join(re.escape(token) for token in sorted(self._tokens, key=len, reverse=True)))

    def __call__(self, text: str) -> str:
        if self._pattern is not None:
            text = self._pattern.sub(REDACTED, text)
        return _SHAPES.sub(_shape, text)

    def __repr__(self) -> str:
        return f"Redactor({len(self._tokens)} tokens)"


# One for the process: a token learned anywhere must be removed everywhere.
redact: Final = Redactor()


def know_tokens(tokens: Iterable[str]) -> None:
    """Tell the process's redactor about tokens. Call it before the first use of each."""
    redact.know(tokens)
