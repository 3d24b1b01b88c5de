"""An upstream key as the operator configured it, and the environment variables that it sets."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum, unique
from types import MappingProxyType
from typing import Final
from urllib.parse import urlsplit


@unique
class KeyKind(Enum):
    """How the token is sent. The values are those of ``kind`` in keys.json."""

    AUTH_TOKEN = "auth_token"  # noqa: S105 - a name, not a token; ANTHROPIC_AUTH_TOKEN, as a Bearer
    API_KEY = "api_key"  # ANTHROPIC_API_KEY, as x-api-key


@unique
class KeyStatus(Enum):
    """Whether the operator wants a key used. The values are those of ``status`` in keys.json."""

    ACTIVE = "active"
    DISABLED = "disabled"


VARIABLES: Final[Mapping[KeyKind, str]] = MappingProxyType(
    {KeyKind.AUTH_TOKEN: "ANTHROPIC_AUTH_TOKEN", KeyKind.API_KEY: "ANTHROPIC_API_KEY"}
)
BASE_URL_VARIABLE: Final = "ANTHROPIC_BASE_URL"
# As a base URL, it makes the CLI's requests fail before it opens any connection (observed). An address where nothing
# listens would not: through HTTP_PROXY, token and conversation would reach the proxy in the clear.
NO_URL: Final = "http://["

# Whether the CLI puts its billing block before the system prompt. It differs by conversation, so conversations share no
# prompt cache. Anthropic's API requires it only for subscriptions; a relay may check for it.
ATTRIBUTION_VARIABLE: Final = "CLAUDE_CODE_ATTRIBUTION_HEADER"
OWN_HOST: Final = "api.anthropic.com"
_OF_SUBSCRIPTION: Final = "sk-ant-oat"  # prefix of tokens from `claude setup-token`

# Four characters distinguish two keys, but would reveal too much of a token shorter than this.
_SHOW_TAIL_FROM: Final = 16


@dataclass(frozen=True, slots=True)
class UpstreamKey:
    """One entry of keys.json. The token is not in the repr, so that no traceback or log can show it."""

    name: str
    token: str = field(repr=False)
    base_url: str | None = None
    kind: KeyKind = KeyKind.AUTH_TOKEN
    status: KeyStatus = KeyStatus.ACTIVE
    attribution: bool | None = None  # None: depends on the host and the token

    @property
    def address(self) -> str:
        """Where its requests go; "" is Anthropic's own API."""
        return self.base_url or ""

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of token, kind and host, which identifies a key in the store. Another host is another key."""
        text = "\n".join((self.kind.value, self.base_url or "", self.token))
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def tail(self) -> str:
        """The last four characters, for people; empty if the token is so short that they would give it away."""
        return self.token[-4:] if len(self.token) >= _SHOW_TAIL_FROM else ""

    def environment(self) -> dict[str, str]:
        """The CLI's credentials, always all three: one left out would keep the previous key's value.

        ``""`` unsets; for the base URL that means Anthropic's own host.
        """
        env = dict.fromkeys((*VARIABLES.values(), BASE_URL_VARIABLE), "")
        env[VARIABLES[self.kind]] = self.token
        env[BASE_URL_VARIABLE] = self.base_url or ""
        return env

    def for_worker(self) -> dict[str, str]:
        """The same for our own processes, with what else depends on the key."""
        return {**self.environment(), ATTRIBUTION_VARIABLE: "1" if self.attributes else "0"}

    @property
    def attributes(self) -> bool:
        """Whether requests with it carry the CLI's own billing block."""
        if self.attribution is not None:
            return self.attribution
        own = self.base_url is None or urlsplit(self.base_url).hostname == OWN_HOST
        return not own or self.token.startswith(_OF_SUBSCRIPTION)


def digest_of(env: Mapping[str, str]) -> str:
    """UpstreamKey.digest of the key whose environment() this is."""
    kind = next((kind for kind, name in VARIABLES.items() if env.get(name)), KeyKind.AUTH_TOKEN)
    return UpstreamKey("", env.get(VARIABLES[kind], ""), env.get(BASE_URL_VARIABLE) or None, kind).digest


def with_status(key: UpstreamKey, status: KeyStatus) -> UpstreamKey:
    """The key, enabled or disabled."""
    return replace(key, status=status)


def refuse_duplicates(keys: Sequence[UpstreamKey]) -> None:
    """Raises ValueError if two have the same name."""
    names = [key.name for key in keys]
    if len(set(names)) != len(names):
        raise ValueError("cannot build a key ring: two keys have the same name")


def renamed_keys(old: Sequence[UpstreamKey], new: Sequence[UpstreamKey]) -> dict[str, str]:
    """For each renamed key, its old name by its new one."""
    names, gone = {key.name for key in old}, {key.name for key in old} - {key.name for key in new}
    before = {key.digest: key.name for key in old if key.name in gone}
    return {key.name: before.pop(key.digest) for key in new if key.name not in names and key.digest in before}
