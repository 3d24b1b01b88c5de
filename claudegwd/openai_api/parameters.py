"""How each parameter that OpenAI defines is handled: honoured (read elsewhere), rejected here, or ignored and named."""

import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

from claudegwd.openai_api.bounds import Bounds
from claudegwd.openai_api.fields import Fields, cannot_honour, refuse

# More than any model generates, and small enough for every number parser on the way.
MAX_TOKENS = 2**31 - 1
MAX_STOPS = 4  # OpenAI's own limit
MAX_STOP_CHARS = 1_000  # stop sequences are a few characters; this only keeps the search for them fast
REASONING_EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
VERBOSITIES = ("low", "medium", "high")

# Parameters of some routes, which clients send to the others as well: empty, they ask for nothing.
_EMPTY_IN_PASSING = frozenset({"functions", "include", "metadata", "tools"})

# Names go into a response header: only characters that are valid there, and a limited number.
_HEADER_SAFE = re.compile(r"[A-Za-z0-9_.-]{1,64}")
MAX_NAMED = 32


def read_max_tokens(body: Fields) -> int | None:
    """The newer name wins if both are given; the older one must still be valid."""
    older = body.whole("max_tokens", 1, MAX_TOKENS)
    newer = body.whole("max_completion_tokens", 1, MAX_TOKENS)
    return older if newer is None else newer


def read_stop(body: Fields) -> tuple[str, ...]:
    """One string or up to four."""
    value = body.get("stop")
    if value is None:
        return ()
    if isinstance(value, str):
        value, paths = [value], ["stop"]
    elif isinstance(value, list):
        if len(value) > MAX_STOPS:
            refuse("stop", f"it must contain at most {MAX_STOPS} strings")
        paths = [f"stop[{index}]" for index in range(len(value))]
    else:
        refuse("stop", f"it must be a string or a list of up to {MAX_STOPS}")
    for stop, path in zip(value, paths, strict=True):
        if not isinstance(stop, str):
            refuse(path, "it must be a string")
        if not 0 < len(stop) <= MAX_STOP_CHARS:
            refuse(path, f"it must have 1 to {MAX_STOP_CHARS} characters")
    # A repeated stop counts once.
    return tuple(dict.fromkeys(value))


def read_include_usage(body: Fields) -> bool:
    """stream_options.include_usage; without `stream` it has no effect."""
    options = body.object("stream_options")
    return options is not None and bool(options.flag("include_usage")) and bool(body.flag("stream"))


def read_n(body: Fields, bounds: Bounds) -> int:
    """The number of choices; absent is one."""
    n = body.whole("n", 1, bounds.max_n)
    return 1 if n is None else n


# OpenAI knows each parameter below, but the upstream does not. A reader says whether the value asks for anything: False
# for OpenAI's default, so that clients which send every default are not told about each.
Asks = Callable[[Fields, str], bool]


def some_text(body: Fields, name: str) -> bool:
    """A non-empty string."""
    return bool(body.text(name))


def given(body: Fields, name: str) -> bool:
    """Anything."""
    return not _is_empty(body.get(name))


def _true(body: Fields, name: str) -> bool:
    return body.flag(name) is True


def _penalty(body: Fields, name: str) -> bool:
    return bool(body.number(name, -2, 2))


def _integer(body: Fields, name: str) -> bool:
    return body.whole(name, -(2**63), 2**63) is not None


def some_object(body: Fields, name: str) -> bool:
    """A non-empty object."""
    fields = body.object(name)
    return fields is not None and bool(fields.values)


def _positive(body: Fields, name: str) -> bool:
    return bool(body.whole(name, 0, 20))


def _not_default(*defaults: str) -> Asks:
    return lambda body, name: body.text(name) not in (None, *defaults)


def _verbosity(body: Fields, name: str) -> bool:
    return body.one_of(name, VERBOSITIES) not in (None, "medium")


def _more_than_text(body: Fields, name: str) -> bool:
    return any(kind != "text" for kind in body.array(name, longest=10) or ())


def _has_format(body: Fields, name: str) -> bool:
    value = body.get(name)
    return isinstance(value, dict) and value.get("format") is not None


# Harmless: the answer is correct without them.
IGNORED: dict[str, Asks] = {
    "seed": _integer,
    "user": some_text,
    "safety_identifier": some_text,
    "metadata": some_object,
    "store": _true,
    "service_tier": _not_default("auto", "default"),
    "frequency_penalty": _penalty,
    "presence_penalty": _penalty,
    "verbosity": _verbosity,
    "prompt_cache_retention": _not_default(),
    "prompt_cache_options": some_object,
}
# Only in Anthropic's API, and to ignore them would be to answer another request.
_TO_ANTHROPICS = "it belongs to Anthropic's API: send such a request to /v1/messages, or use this API's parameters"
OF_ANTHROPICS_API: dict[str, tuple[Asks, str]] = {
    "system": (given, _TO_ANTHROPICS),
    "stop_sequences": (given, _TO_ANTHROPICS),
    "output_format": (given, _TO_ANTHROPICS),
    "output_config": (_has_format, f"for its format, {_TO_ANTHROPICS}"),
    "mcp_servers": (given, _TO_ANTHROPICS),
    "container": (given, _TO_ANTHROPICS),
}
# Not harmless: the caller would wait in vain. Each with what to do instead.
REFUSED: dict[str, tuple[Asks, str]] = {
    "logprobs": (_true, "the model provides no log probabilities; omit it"),
    "top_logprobs": (_positive, "the model provides no log probabilities; omit it"),
    "logit_bias": (some_object, "the model's tokens cannot be biased; omit it"),
    "audio": (some_object, "the model produces no audio; omit it"),
    "modalities": (_more_than_text, "the model answers in text only; omit it or send text"),
    "prediction": (some_object, "predicted outputs are not supported; omit it"),
    "moderation": (lambda body, name: body.object(name) is not None, "moderation is not supported; omit it"),
    **OF_ANTHROPICS_API,
}


def refuse_what_cannot_be_honoured(body: Fields, refused: dict[str, tuple[Asks, str]]) -> None:
    """Raise UnsupportedParameter for the first parameter that asks for something we cannot do."""
    for name, (asks, instead) in refused.items():
        if asks(body, name):
            cannot_honour(name, instead)


def is_header_safe(name: str) -> bool:
    """Whether a name may appear in x-claudegw-ignored."""
    return _HEADER_SAFE.fullmatch(name) is not None


def name_what_is_ignored(body: Fields, ignored: dict[str, Asks], known: Collection[str]) -> tuple[str, ...]:
    """The names for x-claudegw-ignored: parameters without effect, then unknown ones, as far as the header goes.

    `known` are the names that were read or would have been rejected.
    """
    names = [name for name, asks in ignored.items() if asks(body, name)]
    options = body.object("stream_options")
    if options is not None:
        if not body.flag("stream"):
            names.append("stream_options")
        elif options.flag("include_obfuscation"):
            names.append("stream_options.include_obfuscation")
    for name, value in body.values.items():
        if name not in known and name not in ignored and _asks(name, value) and is_header_safe(name):
            names.append(name)
    return tuple(names[:MAX_NAMED])


def _asks(name: str, value: Any) -> bool:
    """Whether an unknown parameter may have been meant to do something: even an empty object may."""
    return not _is_empty(value) if name in _EMPTY_IN_PASSING else value is not None


def is_marked(place: Mapping[str, Any]) -> bool:
    """Some clients mark with `cache_control` what Anthropic should cache; here the gateway or the CLI decides that."""
    return bool(place.get("cache_control"))


def _is_empty(value: Any) -> bool:
    """Asks for nothing: null, an empty list or object (`include: []`)."""
    return value is None or value in ([], {})
