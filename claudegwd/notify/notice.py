"""What people are notified of: one notice for each event. Pure; the time is an argument.

A notice contains names, states and times: never a token, nor anything that a client, a model or the upstream wrote.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from shlex import quote
from typing import Final

from claudegwd.keys.answers import ENVIRONMENT
from claudegwd.keys.news import KeyNews
from claudegwd.keys.states import KeyState
from claudegwd.limits.budget import Budget, moment


class NoticeEvent(StrEnum):
    """What happened. The words are part of the interface: people's programs depend on them."""

    KEY_INVALID = "key_invalid"
    KEY_EXHAUSTED = "key_exhausted"
    KEYS_GONE = "keys_gone"
    WINDOW_FULL = "window_full"
    BUDGET_REACHED = "budget_reached"
    UPSTREAM_FAILING = "upstream_failing"
    CLI_FAILING = "cli_failing"
    APPROVAL_ASKED = "approval_asked"
    WATCHDOG_RESTART = "watchdog_restart"
    TEST = "test"


@dataclass(frozen=True, slots=True)
class Notice:
    """`time` and `until` are seconds since the epoch; `until`: when it ends by itself, if known.

    `part`: the subject's window, budget or state that it is about. `once_until`: until then it is the same event, and
    is not sent again. `every`: sent each time, as somebody is waiting. `everywhere`: the same event on each machine
    that shares keys and clients with this one, to be sent by one of them.
    """

    event: NoticeEvent
    time: float
    subject: str
    text: str
    until: float | None = None
    part: str = ""
    once_until: float = 0.0
    every: bool = False
    everywhere: bool = False

    def body(self, host: str) -> bytes:
        """The JSON that is sent."""
        said = {
            "event": self.event.value,
            "time": _moment(self.time),
            "host": host,
            "subject": self.subject,
            "text": self.text,
            "until": None if self.until is None else _moment(self.until),
        }
        return json.dumps(said, ensure_ascii=False).encode("utf-8", "replace") + b"\n"


# A key without credit is retried once an hour, and each time reported as spent again. If that has lasted for longer
# than this, whoever pays may be notified again.
SPENT_AGAIN_SECONDS: Final = 3600.0


def of_key(news: KeyNews, now: float) -> Iterator[Notice]:
    """What a person should know about a key's change of state."""
    name, until = news.name, news.until
    spent = news.after is KeyState.EXHAUSTED
    once_until = until + SPENT_AGAIN_SECONDS if spent and until else 0.0
    if news.after is KeyState.INVALID:
        again = f"claudegwctl keys add {quote(name)} --replace"
        text = f"the upstream rejects the key {name}: replace it (`{again}`), or test it"
        yield Notice(NoticeEvent.KEY_INVALID, now, name, text, everywhere=True)
    elif spent:
        text = f"the key {name} is out of credit: add credit or another key"
        yield Notice(NoticeEvent.KEY_EXHAUSTED, now, name, text, until, once_until=once_until, everywhere=True)
    if news.last:
        state = news.after.value if news.after else "removed"
        text = f"no upstream key is usable any more: the last one, {name}, is {state}"
        text, back = f"{text}{_back(news.soonest)}", news.soonest
        # Of each state: a rate limit soon after new credit is another event.
        yield Notice(NoticeEvent.KEYS_GONE, now, name, text, back, state, once_until=once_until, everywhere=True)


def of_login(name: str, until: float | None, now: float) -> Notice:
    """Without keys, the upstream rejects the login, or limits it `until` then."""
    how = "rejects the login" if until is None else f"rate limits the login until {moment(until)}"
    text = f"no request can be answered: there is no key, and the upstream {how}; see `claudegwctl status`"
    return Notice(NoticeEvent.KEYS_GONE, now, name, text, until, once_until=until or 0.0)


def of_no_credentials(name: str, now: float) -> Notice:
    """The last key was removed, and there is no login `name`; or the login was, and there are no keys."""
    text = "no request can be answered: there is neither a key nor a login any more; see `claudegwctl status`"
    return Notice(NoticeEvent.KEYS_GONE, now, name, text, part="removed")


def of_window(key: str, window: str, used: float, resets: float | None, now: float) -> Notice:
    """Most of an upstream limit is used."""
    whose = "the login" if key == ENVIRONMENT else f"the key {key}"
    text = f"{used:.0%} of the {window} limit of {whose} is used"
    if resets is not None:
        text += f"; it resets at {moment(resets)}"
    once_until, everywhere = resets or 0.0, key != ENVIRONMENT  # each machine has its own login
    return Notice(NoticeEvent.WINDOW_FULL, now, key, text, resets, window, once_until, everywhere=everywhere)


def of_budget(client: str, budget: Budget, reset: float, now: float) -> Notice:
    """A client's budget is used up, and its requests are rejected."""
    text = f"the client {client} has used up its budget of {budget}; it resets at {moment(reset)}"
    return Notice(NoticeEvent.BUDGET_REACHED, now, client, text, reset, str(budget), reset, everywhere=True)


def of_outage(since: float, now: float) -> Notice:
    """No upstream answers."""
    text = f"the upstream has not answered since {moment(since)}: see `claudegwctl logs --level warning`"
    return Notice(NoticeEvent.UPSTREAM_FAILING, now, "upstream", text)


def of_cli(now: float) -> Notice:
    """No CLI process can be started."""
    text = "the Claude Code CLI does not start, and no request can be answered: see `claudegwctl status`"
    return Notice(NoticeEvent.CLI_FAILING, now, "claude", text)


def of_approval(workspace: str, client: str, until: float, now: float) -> Notice:
    """Claude waits for a person in a workspace. What it wants to do is in the model's words, so it is left out."""
    whom = f"the client {client}" if client else "a client without a key"
    text = f"Claude asks for approval in the workspace {workspace}, for {whom}: see `claudegwctl approvals`"
    return Notice(NoticeEvent.APPROVAL_ASKED, now, workspace, text, until, every=True)


def of_watchdog(at: float, now: float) -> Notice:
    """The service manager considered the daemon stuck, and restarted it."""
    text = f"claudegwd hung and was restarted at {moment(at)}; the log before that shows what it was doing"
    return Notice(NoticeEvent.WATCHDOG_RESTART, now, "claudegwd", text)


def of_test(now: float) -> Notice:
    """A person is testing whether notifications arrive."""
    return Notice(NoticeEvent.TEST, now, "claudegwd", "test: notifications from this gateway arrive here")


def _back(until: float | None) -> str:
    return "" if until is None else f"; the first one is retried at {moment(until)}"


def _moment(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
