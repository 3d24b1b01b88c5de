"""How the CLI changes the characters in a tool's declaration (observed on 2.1.330, in every mode).

It normalizes them to Unicode NFKC and removes invisible ones: `…` becomes `...`, `½` becomes `1⁄2`, and an emoji of
several parts falls apart. Messages, system prompts and results are not changed. By transcript there is no other way to
pass a tool list to the model, so changes are reported.
"""

import unicodedata
from typing import Any

_TAKEN_OUT = frozenset(("Cf", "Co", "Cn"))  # formatting, private use, unassigned
# Assigning to this key sets a JavaScript object's prototype, so the CLI drops it.
_LOST_KEY = "__proto__"


def is_altered(value: Any) -> bool:
    """Whether the CLI passes on anything but this exact value: a text, or a JSON value with texts in it."""
    match value:
        case str():
            return not value.isascii() and not _is_kept(value)
        case list():
            return any(map(is_altered, value))
        case dict():
            return any(key == _LOST_KEY or is_altered(key) or is_altered(one) for key, one in value.items())
    return False


def _is_kept(text: str) -> bool:
    if not unicodedata.is_normalized("NFKC", text):
        return False
    return all(unicodedata.category(char) not in _TAKEN_OUT for char in text)
