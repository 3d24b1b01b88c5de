"""Merges the answers of several machines to one query. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

# Means, which are weighted by the requests of each.
_MEANS: Final = ("first_token_ms", "request_ms")


def merged(answers: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """At least one; all answer the same question (query.answer), perhaps from another version."""
    by = answers[0]["by"]
    rows: dict[tuple[Any, ...], list[Mapping[str, Any]]] = {}
    for found in answers:
        for row in found["rows"]:
            rows.setdefault(tuple(row[name] for name in by), []).append(row)
    joined = [_added(rows[place], by) for place in sorted(rows, key=lambda place: tuple(map(str, place)))]
    body = {"since": answers[0]["since"], "by": list(by), "rows": joined}
    body["total"] = _added([found["total"] for found in answers], ())
    for name in ("rows_left_out", "lost"):
        if count := sum(found.get(name, 0) for found in answers):
            body[name] = count
    return body


def _added(rows: Sequence[Mapping[str, Any]], by: Sequence[str]) -> dict[str, Any]:
    whole: dict[str, Any] = {}
    for name in dict.fromkeys(name for row in rows for name in row):
        known = [(row[name], row["requests"]) for row in rows if row.get(name) is not None]
        if name in by:
            whole[name] = rows[0][name]
        elif not known:
            whole[name] = None
        elif name in _MEANS:
            weight = sum(requests for _, requests in known)
            whole[name] = round(sum(value * requests for value, requests in known) / weight) if weight else None
        elif name == "cost_usd":
            whole[name] = round(sum(value for value, _ in known), 9)
        else:
            whole[name] = sum(value for value, _ in known)
    return whole
