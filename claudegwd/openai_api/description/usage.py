"""GET /v1/usage for our own OpenAPI description."""

from typing import Any

from claudegwd.openai_api.description.schemas import COUNT, TEXT, Schema, listed, record

USAGE_PARAMETERS: list[dict[str, Any]] = [
    {"name": name, "in": "query", "required": False, "description": says, "schema": {**TEXT, "default": default}}
    for name, default, says in (
        ("since", "7d", "Start of the period: a time span before now (7d, 12h, 90m) or a date in UTC."),
        ("by", "model", "How to group: model, day, hour, separated by commas."),
    )
]

_COMPLETE: Schema = {
    "type": "boolean",
    "description": "False where other machines of the gateway may have served this client, and have not answered.",
}
_NUMBER_OR_NULL: Schema = {"type": ["number", "null"]}


def usage_schemas() -> dict[str, Schema]:
    """The schema of its answer, by name."""
    counts = (
        "requests errors prompt_tokens completion_tokens cached_tokens cache_write_tokens reasoning_tokens "
        "without_cost web_search_requests web_fetch_requests code_execution_requests"
    )
    numbers: dict[str, Schema] = dict.fromkeys(counts.split(), COUNT)
    told = dict.fromkeys(("cost_usd", "first_token_ms", "request_ms"), _NUMBER_OR_NULL)
    sums = record(f"{counts} cost_usd first_token_ms request_ms", **numbers, **told)
    row = {**sums, "properties": {**sums["properties"], "model": TEXT, "day": TEXT, "hour": TEXT}}
    whole = record(
        "since by rows total complete", since={"type": "number"}, by=listed(TEXT), rows=listed(row), total=sums,
        rows_left_out=COUNT, complete=_COMPLETE,
    )  # fmt: skip
    return {"ClientUsage": whole}
