"""Every wait on the way of a request is listed, with a bound that exists."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import claudegwd
from claudegwd.config.fields import KEYS
from claudegwd.workers.question.waits import WAITS

PACKAGE = Path(claudegwd.__file__).parent
ROOMS = ("workers", "public", "fetching")
# Calls that wait for something outside of the calling task.
PRIMITIVES = {"wait", "receive", "sleep", "send", "send_all", "receive_some"}
# The daemon's own: a request never waits in them.
TASKS = {
    "abilities._ask",
    "waiters.Waiters.serve",
    "sweep.Sweep.run",
    "process.CliProcess._pump",
    "process.CliProcess._write",
    "process.CliProcess._end_when_asked",
    "process.CliProcess._drain_stderr",
    "process.CliProcess._reap",
    "serving._Connection.read",
    "serving.Server._next_end",
    "serving.Server.stop",
    "responses_socket.ResponsesSocket._until_drained",
    "spares.Spares.run",
    "spares.Spares._stand_back",
}


def waiting(node: ast.AST, place: tuple[str, ...]) -> Iterator[str]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield from waiting(child, (*place, child.name))
            continue
        if isinstance(child, ast.Await) and isinstance(child.value, ast.Call):
            called = child.value.func
            if isinstance(called, ast.Attribute) and called.attr in PRIMITIVES:
                yield ".".join(place)
        yield from waiting(child, place)


def test_every_wait_is_listed() -> None:
    found = set()
    for path in (*(path for room in ROOMS for path in (PACKAGE / room).rglob("*.py")), PACKAGE / "servers/serving.py"):
        found |= set(waiting(ast.parse(path.read_text("utf-8")), (path.stem,)))
    listed = {wait.place for wait in WAITS}
    assert found - TASKS - listed == set(), "list it, with its bound, or say that no request waits there"
    assert (listed | TASKS) - found - {"pending_commands.PendingCommands.answer"} == set(), "it is gone: take it out"
    assert not listed & TASKS


def test_every_bound_exists() -> None:
    source = "\n".join(path.read_text("utf-8") for path in PACKAGE.rglob("*.py") if path.name != "waits.py")
    for wait in WAITS:
        for name in re.findall(r"[A-Z_]{6,}", f"{wait.bound} {wait.sweep}"):
            assert re.search(rf"^{name}(: \w+)? = ", source, re.MULTILINE), (wait.place, name)
        for setting in re.findall(r"\w+\.\w+_seconds", wait.bound):
            assert setting in KEYS, (wait.place, setting)


def test_no_sweep_is_less_patient_than_the_wait_that_it_could_end() -> None:
    from claudegwd.workers.pool import pool, sweep
    from claudegwd.workers.question import questions
    from claudegwd.workers.worker import states

    assert questions.FIRST_EVENT_SECONDS <= sweep.BETWEEN_EVENTS_SECONDS
    assert states.ACKNOWLEDGE_SECONDS <= states.START_SECONDS <= sweep.BETWEEN_EVENTS_SECONDS
    assert pool.SETTLING_SECONDS < states.SETTLE_SECONDS
