"""What the documentation says about the code, taken from the code: one function for each table."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

import typer.main

from claudegwctl.connecting.clients import CLIENTS, where
from claudegwctl.main import app as control_app
from claudegwd.config.environment import OLDER_NAMES, OLDER_NAMES_NOT_READ
from claudegwd.config.fields import KEYS
from claudegwd.config.workspaces import WORKSPACE_KEYS
from claudegwd.control.routes import ROUTES as CONTROL_ROUTES
from claudegwd.keys import states as keys
from claudegwd.keys.failures import FAILURES, KeyEffect, RetryRule
from claudegwd.messages_api import parameters as messages
from claudegwd.openai_api import parameters
from claudegwd.openai_api.chat import request as chat_request
from claudegwd.openai_api.completions import request as completions_request
from claudegwd.openai_api.description.document import OPERATIONS
from claudegwd.openai_api.errors import GatewayError
from claudegwd.openai_api.responses import parameters as responses_parameters
from claudegwd.public.app import ROUTES as PUBLIC_ROUTES
from claudegwd.public.missing import MOVED as MOVED_ROUTES
from claudegwd.translate.answer import turn_states as turns
from claudegwd.workers.question.waits import WAITS
from claudegwd.workers.worker import states as workers
from tests.doc_bounds import bounds
from tests.doc_codes import given_codes
from tests.e2e.ends import costs as ends_costs


@dataclass(frozen=True)
class Table:
    """`rows` may be one cell shorter than `heads`: then the last column is a person's."""

    heads: Sequence[str]
    rows: Sequence[Sequence[str]]


def code(text: object) -> str:
    return f"`{text}`"


# What the machine decides; what the schema has is for a Config that no file was read into.
_DEFAULTS = {"workers.max": "depends on the machine"}


def settings() -> Table:
    rows = [(code(key), _DEFAULTS.get(key) or code(_toml(field.default)), field.allowed) for key, field in KEYS.items()]
    rows += [
        (code(f"workspaces.NAME.{key}"), code(_toml(default)), allowed)
        for key, (_, allowed, default) in WORKSPACE_KEYS.items()
    ]
    return Table(("setting", "default", "value", "what it does"), rows)


def _toml(value: object) -> str:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return json.dumps(value)


def older_settings() -> Table:
    rows = [(code(name), f"still read, as `{key}`") for name, key in OLDER_NAMES.items()]
    rows += [
        (code("API_KEYS"), "still read: client keys, separated by commas or as a JSON list"),
        (code("CLAUDE_API_KEYS"), "still read: upstream keys, as the same JSON list"),
    ]
    rows += [(code(name), f"not read: {instead}") for name, instead in OLDER_NAMES_NOT_READ.items()]
    return Table(("older setting", "now"), rows)


# The routes of the older gateway, claude-code-api.
_OLDER_ROUTES = (
    "GET /",
    "GET /health",
    "POST /v1/chat/completions",
    "GET /v1/chat/completions/{session_id}/status",
    "POST /v1/chat/completions/debug",
    "DELETE /v1/chat/completions/{session_id}",
    "GET /v1/models",
    "GET /v1/models/{id}",
    "GET /v1/models/capabilities",
    "GET /v1/projects",
    "POST /v1/projects",
    "GET /v1/projects/{id}",
    "DELETE /v1/projects/{id}",
    "GET /v1/sessions",
    "POST /v1/sessions",
    "GET /v1/sessions/{id}",
    "DELETE /v1/sessions/{id}",
    "GET /v1/sessions/stats",
    "GET /v1/keys/status",
    "POST /v1/keys/rotate",
)


def older_routes() -> Table:
    served = {_nameless(f"{route.method} {_template(route.path)}") for route in PUBLIC_ROUTES}
    rows = []
    for route in _OLDER_ROUTES:
        moved = MOVED_ROUTES.get(route.partition(" ")[2])
        here = "served" if _nameless(route) in served else "404"
        rows.append((code(route), f"404, which names `{moved}`" if moved else here))
    return Table(("older route", "now", "what differs"), rows)


def _nameless(route: str) -> str:
    return re.sub(r"\{[^}]*\}", "{}", route)


def _template(path: str) -> str:
    return re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", path)


def chat_parameters() -> Table:
    """Every top-level field that is known, and what becomes of it."""
    return _parameters(chat_request.HONOURED, parameters.IGNORED, parameters.REFUSED)


def completions_parameters() -> Table:
    return _parameters(completions_request.HONOURED, parameters.IGNORED, completions_request.REFUSED)


def response_parameters() -> Table:
    known = responses_parameters
    return _parameters(known.HONOURED, known.IGNORED, known.REFUSED)


def messages_parameters() -> Table:
    """The same of Anthropic's API. What the CLI writes itself, under its own login, has a column of its own."""
    known = messages
    login = dict.fromkeys(known.NOT_BY_TRANSCRIPT, "refused") | dict.fromkeys(known.IGNORED_BY_TRANSCRIPT, "ignored")
    rows: list[Sequence[str]] = [(code(name), "honoured", login.get(name, "honoured")) for name in sorted(known.KNOWN)]
    rows += [(code(name), "refused", "refused", why) for name, why in sorted(known.REFUSED.items())]
    return Table(("parameter", "with upstream keys", "with the CLI's login", "how"), rows)


def _parameters(
    honoured: frozenset[str], ignored: Mapping[str, object], refused: Mapping[str, tuple[object, str]]
) -> Table:
    rows: list[Sequence[str]] = [(code(name), "honoured") for name in sorted(honoured)]
    named = "listed in `x-claudegw-ignored`, unless the value is OpenAI's default"
    rows += [(code(name), "ignored", named) for name in sorted(ignored)]
    rows += [(code(name), "refused", instead) for name, (_, instead) in sorted(refused.items())]
    return Table(("parameter", "what happens", "how"), rows)


def public_routes() -> Table:
    rows = []
    for route in PUBLIC_ROUTES:
        path = _template(route.path)
        words = OPERATIONS[route.method, path]["summary"]
        rows.append((code(f"{route.method} {path}"), "open" if route.open else "client key", words))
    return Table(("route", "for whom", "what it does"), rows)


def errors() -> Table:
    rows = []
    for kind in _leaves(GatewayError):
        words = (inspect.getdoc(kind) or "").split("\n")[0]
        rows.append((str(kind.status), code(kind.type), code(kind.code), words))
    return Table(("status", "type", "code", "when"), sorted(rows))


def error_codes() -> Table:
    rows = [(code(name), ", ".join(map(str, sorted(statuses)))) for name, statuses in given_codes().items()]
    return Table(("code", "status", "when"), sorted(rows))


def _leaves(kind: type[GatewayError]) -> Iterator[type[GatewayError]]:
    for below in kind.__subclasses__():
        # One of another module never answers a request.
        if below.code is not None and below.__name__ != "CallerError" and below.__module__ == GatewayError.__module__:
            yield below
        yield from _leaves(below)


_EFFECTS = {
    KeyEffect.UNCHANGED: "unchanged",
    KeyEffect.INVALID: "invalid, until a person or a test clears it",
    KeyEffect.EXHAUSTED: "exhausted, retried once an hour",
    KeyEffect.COOLING: (
        "cooling, until the reset time that the upstream names, or for `keys.cooldown_seconds`, doubling each time"
    ),
    KeyEffect.MODEL_FORBIDDEN: "not used for that model for a while",
}
_RETRIES = {
    RetryRule.NEVER: "no",
    RetryRule.NEXT_KEY: "at once, with the next key",
    RetryRule.OTHER_ADDRESS: "at once, with a key of another upstream; without one, after an increasing pause",
    RetryRule.OTHER_PROCESS: "on another process",
}


def failures() -> Table:
    rows = []
    for kind, rule in FAILURES.items():
        retried = _RETRIES[rule.retry] + (f", up to {rule.retries} times" if (rule.retries or 0) > 1 else "")
        left = f"{rule.error.status} `{rule.error.code}`"
        rows.append((code(kind.value), _EFFECTS[rule.effect], retried, left))
    return Table(("failure", "the key becomes", "retried", "otherwise the client gets"), rows)


def waits() -> Table:
    return Table(
        ("where", "a request waits for", "at most", "what else can end it"),
        [(f"`{wait.place}`", wait.waits_for, wait.bound, wait.sweep) for wait in WAITS],
    )


def worker_bounds() -> Table:
    return Table(
        ("state", "at most", "then"), [(f"`{state.value}`", *workers.BOUNDS[state]) for state in workers.WorkerState]
    )


def worker_states() -> Table:
    heads = ("state", *(event.value for event in workers.WorkerEvent))
    found = workers.TRANSITIONS
    rows = [
        (code(state.value), *(_cell(found.get((state, event))) for event in workers.WorkerEvent))
        for state in workers.WorkerState
    ]
    return Table(heads, rows)


def turn_states() -> Table:
    heads = ("event", *(state.value for state in turns.TurnState))
    found = turns.TRANSITIONS
    rows = [
        (event.value, *(_cell(found.get((state, event))) for state in turns.TurnState)) for event in turns.TurnEvent
    ]
    return Table(heads, rows)


def key_states() -> Table:
    heads = ("event", *(state.value for state in keys.KeyState))
    found = keys.TRANSITIONS
    rows = [
        (code(event.value), *(_cell(found.get((state, event))) for state in keys.KeyState)) for event in keys.KeyEvent
    ]
    return Table(heads, rows)


def _cell(state: Enum | None) -> str:
    return state.value if state is not None else "–"


def control_commands() -> Table:
    rows = [
        (code(f"claudegwctl {name}"), first_line, code(example.removeprefix("Example: ")))
        for name, first_line, example in commands()
    ]
    return Table(("command", "what it does", "example"), rows)


def commands() -> Iterator[tuple[str, str, str]]:
    """Name, what it says of itself, and its example, of each command of claudegwctl."""
    yield from _commands(typer.main.get_command(control_app), "")


def _commands(command: Any, before: str) -> Iterator[tuple[str, str, str]]:
    if not hasattr(command, "list_commands"):
        words = (command.help or "").strip().split("\n\n")[0]
        yield before, " ".join(words.split()), command.epilog or ""
        return
    for name in command.list_commands(None):
        yield from _commands(command.get_command(None, name), f"{before} {name}".strip())


def control_routes() -> Table:
    rows = [(code(f"{route.method} {route.path}"), route.says) for route in CONTROL_ROUTES]
    return Table(("route", "what it does"), rows)


def named_bounds() -> Table:
    rows = [tuple(filter(None, (code(bound.name), bound.value, bound.reason))) for bound in bounds()]
    return Table(("bound", "value", "why"), rows)


def ends() -> Table:
    return Table(("how the answer ends", "with upstream keys", "with the CLI's login"), ends_costs())


def connect() -> Table:
    rows = []
    for client in CLIENTS:
        file = where(client)
        does = f"writes to `{file}`" if file else "prints what to enter"
        command = f"claudegwctl connect {client.name}" + (" --write" if file else "")
        rows.append((client.title, code(command), does))
    return Table(("client", "command", "what it does"), rows)


TABLES: Mapping[str, Callable[[], Table]] = {
    "settings": settings,
    "older-settings": older_settings,
    "older-routes": older_routes,
    "chat-parameters": chat_parameters,
    "completions-parameters": completions_parameters,
    "responses-parameters": response_parameters,
    "messages-parameters": messages_parameters,
    "public-routes": public_routes,
    "errors": errors,
    "error-codes": error_codes,
    "failures": failures,
    "waits": waits,
    "worker-bounds": worker_bounds,
    "worker-states": worker_states,
    "turn-states": turn_states,
    "key-states": key_states,
    "ends": ends,
    "connect": connect,
    "control-commands": control_commands,
    "control-routes": control_routes,
    "bounds": named_bounds,
}
