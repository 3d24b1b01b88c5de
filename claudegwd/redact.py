"""The one place that removes tokens from texts before anyone reads them. Pure, except for the register of tokens.

It has two filters: every token that this process was told about, wherever it occurs, and anything that looks like one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

REDACTED: Final = "[redacted]"

# A shorter "token" would cut holes into ordinary words; such a key is too weak to be worth hiding.
MIN_TOKEN_CHARACTERS: Final = 8

# No late log line can contain a token that was added this long ago.
MAX_TOKENS: Final = 1000

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

    The caller gives every token as soon as it is read, and all that are in use together. One whose key was removed
    stays known for a long while: it may still stand in a late line of the log.
    """

    def __init__(self, tokens: Iterable[str] = ()) -> None:
        self._tokens: dict[str, None] = {}  # the last given is last
        self._longest_first: tuple[str, ...] = ()
        self.know(tokens)

    def know(self, tokens: Iterable[str]) -> None:
        given = dict.fromkeys(token for token in tokens if len(token) >= MIN_TOKEN_CHARACTERS)
        earlier = [token for token in self._tokens if token not in given]
        room = max(0, MAX_TOKENS - len(given))
        self._tokens = dict.fromkeys([*earlier[max(0, len(earlier) - room) :], *given])
        # One token may begin with another. No pattern of them all: `re` keeps hundreds of patterns, however long.
        self._longest_first = tuple(sorted(self._tokens, key=len, reverse=True))

    def __call__(self, text: str) -> str:
        return self._without_cut_token(_SHAPES.sub(_shape, self.known(text)))

    def known(self, text: str) -> str:
        """Without the known tokens only. What merely looks like a token could hide something from whoever has to
        decide about the text."""
        for token in self._longest_first:
            if token in text:
                text = text.replace(token, REDACTED)
        return text

    def _without_cut_token(self, text: str) -> str:
        """The text may be the beginning of a longer one, and have been cut within a token."""
        for token in self._longest_first:
            start = text.rfind(token[:MIN_TOKEN_CHARACTERS])
            if start >= 0 and token.startswith(text[start:]):
                return text[:start] + REDACTED
        return text

    def __repr__(self) -> str:
        return f"Redactor({len(self._tokens)} tokens)"


# One for the process: a token learned anywhere must be removed everywhere.
redact: Final = Redactor()


def know_tokens(tokens: Iterable[str]) -> None:
    """Tell the process's redactor about tokens. Call it before the first use of each."""
    redact.know(tokens)
