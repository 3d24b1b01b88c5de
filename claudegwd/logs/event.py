"""The one way to log something with fields.

Only listed names become fields, so that nobody can log a message's content by passing a whole request.
"""

from __future__ import annotations

import logging
from typing import Final

Value = str | int | float | bool | None

log: Final = logging.getLogger("claudegwd")

# Add a name here only if its values can never hold a token or anything that a client or a model wrote. `detail` is what
# the upstream or the CLI said of a failure: short, and through the redactor.
FIELDS: Final = frozenset(
    {
        "active", "address", "after", "always", "attempt", "before", "bind", "bytes", "changed", "client", "code",
        "command", "completion_tokens", "count", "detail", "error", "exit_status", "file", "generation", "gid", "how",
        "key", "kind", "limit", "line", "lost", "machine", "method", "milliseconds", "model", "param", "pid", "problem",
        "prompt_tokens", "queued", "reason", "request_id", "route", "seconds", "signal", "since", "size", "socket",
        "state", "status", "to", "tokens", "trace", "uid", "until", "upstream", "version", "worker", "workspace",
    }
)  # fmt: skip


def event(
    logger: logging.Logger, level: int, text: str, /, *, cause: BaseException | None = None, **fields: Value
) -> None:
    """Log `text`, a sentence that is the same each time, with what differs in `fields` (names from `FIELDS`).

    Of `cause` only the type and the places are logged, never its text: that may quote what a client sent.
    """
    if logger.isEnabledFor(level):
        logger.log(level, text, exc_info=cause, extra={"fields": fields})
