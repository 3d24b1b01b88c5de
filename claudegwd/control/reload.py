"""POST /v1/reload: read configuration and keys again and return what changed; on an error nothing changes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec

from claudegwd.control.controllable import Controls
from claudegwd.control.request import ControlRequest, ControlResponse

# Of a setting's value in the audit: a workspace is a whole table, and a list of aliases may be long.
VALUE_CHARACTERS: Final = 200


async def reload(controls: Controls, request: ControlRequest) -> ControlResponse:
    request.only()
    try:
        answer = await controls.reloader.reload()
    except Exception:
        request.changed("reload rejected")
        raise
    changes, keys = answer["changes"], "; ".join(_of_keys(answer["keys"]))
    aside = {"keys": keys} if keys else {}
    if changes:
        aside |= {"before": _settings(changes, "old"), "after": _settings(changes, "new")}
    request.changed("configuration reloaded", aside=aside, generation=answer["generation"])
    return ControlResponse(answer)


def _settings(changes: Sequence[Mapping[str, Any]], which: str) -> str:
    return ", ".join(f"{change['key']}={_value(change[which])}" for change in changes)


def _value(value: object) -> str:
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return text if len(text) <= VALUE_CHARACTERS else text[: VALUE_CHARACTERS - 1] + "…"


def _of_keys(keys: Mapping[str, Sequence[str]]) -> Iterator[str]:
    for what, names in keys.items():
        if names:
            yield f"{what} {', '.join(names)}"
