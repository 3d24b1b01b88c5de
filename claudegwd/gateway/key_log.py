"""Logs the upstream keys: a line for each change of a key's state."""

import logging
from datetime import UTC, datetime

from claudegwd.keys.news import KeyNews
from claudegwd.logs import event as log_event
from claudegwd.logs import log


def log_key_news(news: KeyNews) -> None:
    """Log one change; the loss of the last usable key is an error."""
    level, text = logging.INFO, "upstream key state changed"
    if news.last:
        level, text = logging.ERROR, "no usable upstream key is left: see `claudegwctl keys list`"
    elif news.lost:
        level = logging.WARNING
    log_event(
        log, level, text, key=news.name, state=news.before.value if news.before else "new",
        to=news.after.value if news.after else "removed", reason=news.reason, until=clock_text(news.until),
    )  # fmt: skip


def clock_text(at: float | None) -> str | None:
    """Seconds since the epoch in ISO 8601."""
    return None if at is None else datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")
