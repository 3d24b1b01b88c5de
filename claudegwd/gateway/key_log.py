"""Logs the upstream keys: a line for each change of a key's state, and of whether its upstream answers."""

import logging
from datetime import UTC, datetime
from urllib.parse import urlsplit

from claudegwd.keys.answers import ENVIRONMENT
from claudegwd.keys.key import OWN_HOST
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


def log_outage(address: str, since: float | None) -> None:
    """Log that an upstream has not answered since then, or that it answers again (None)."""
    # Only the host: some relays expect a secret in the path.
    name = None if address == ENVIRONMENT else urlsplit(address).netloc or OWN_HOST
    if since is not None:
        log_event(log, logging.WARNING, "the upstream does not answer", upstream=name, since=clock_text(since))
    else:
        log_event(log, logging.INFO, "the upstream answers again", upstream=name)


def clock_text(at: float | None) -> str | None:
    """Seconds since the epoch in ISO 8601."""
    return None if at is None else datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")
