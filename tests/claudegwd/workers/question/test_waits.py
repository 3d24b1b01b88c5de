"""Every wait on the way of a request is listed, with a bound that exists."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import claudegwd
from claudegwd.config.fields import KEYS
from claudegwd.workers.question.waits import WAITS

PACKAGE = Path(claudegwd.__file__).parent
ROOMS = ("workers", "public", "fetching", "servers", "shared", "store", "workspaces")
# Calls that wait for something outside of the calling task. `async with` of an attribute waits for a lock, and `async
# for` over a name for what comes through a channel.
PRIMITIVES = {
    "wait", "receive", "sleep", "send", "send_all", "receive_some", "wait_readable",
    "connect", "getaddrinfo", "open_process", "run_sync",
}  # fmt: skip
# The daemon's own, a worker's and a connection's: no request waits in them. Nor does one in what is called `run`: that
# is a task of its own, where it is not listed. In `patiently` and `read_all` a person's command waits, some seconds.
TASKS = {
    "abilities._ask",
    "audit.Audit._write",
    "audit.Audit.flush",
    "audit.Audit.rows",
    "client_keys.ClientKeys.create",
    "client_keys.ClientKeys.learn",
    "client_keys.ClientKeys.rotate",
    "client_keys.ClientKeys.set",
    "connection.StoreConnection.read",
    "continuation.Continuation.keep",
    "database.Database.hold",
    "http1.Http1._create_stream",
    "group.end_group",
    "kept_conversations.KeptConversations.keep",
    "kept_conversations.KeptConversations.load",
    "patience.patiently",
    "process.CliProcess._end_when_asked",
    "process.CliProcess._open",
    "process.CliProcess._reap",
    "process.CliProcess._write",
    "response_files.ResponseFiles.flush",
    "response_files.ResponseFiles.start",
    "responses_socket.ResponsesSocket._until_drained",
    "own_name.OwnName._claim",
    "pipes.read_some",
    "roster.Roster._own",
    "running_responses.RunningResponses.until_idle",
    "serving.Server._next_end",
    "serving.Server.stop",
    "serving._Connection.read",
    "serving._Listener.accept",
    "session.WorkspaceSession._in_process",
    "session.WorkspaceSession._is_resumed",
    "spares.Spares._stand_back",
    "state_lock.StateLock.take",
    "stderr.CliStderr.drain",
    "store.SharedStore._look",
    "store.SharedStore._open",
    "usage.SharedUsage.read_all",
    "waiters.Waiters.serve",
    "websocket.WebSocketStream._end",
    "websocket.WebSocketStream._handle_events",
    "websocket.WebSocketStream._send_pings",
    "websocket.WebSocketStream._too_early",
    "workspaces.Workspaces.learn",
    "workspaces.Workspaces.rows",
    "write_behind.write_behind",
}


def waiting(node: ast.AST, place: tuple[str, ...]) -> Iterator[str]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield from waiting(child, (*place, child.name))
            continue
        match child:
            case ast.Await(value=ast.Call(func=ast.Attribute(attr=called))) if called in PRIMITIVES:
                yield ".".join(place)
            case ast.AsyncWith(items=[ast.withitem(context_expr=ast.Attribute())]):
                yield ".".join(place)
            case ast.AsyncFor(iter=ast.Name() | ast.Attribute()):
                yield ".".join(place)
        yield from waiting(child, place)


def test_every_wait_is_listed() -> None:
    found = set()
    for path in (path for room in ROOMS for path in (PACKAGE / room).rglob("*.py")):
        found |= set(waiting(ast.parse(path.read_text("utf-8")), (path.stem,)))
    listed = {wait.place for wait in WAITS}
    found = {place for place in found if place in listed or not place.endswith(".run")}
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
    from claudegwd.servers import serving
    from claudegwd.workers.pool import pool, sweep
    from claudegwd.workers.question import questions
    from claudegwd.workers.worker import states

    assert questions.FIRST_EVENT_SECONDS <= sweep.BETWEEN_EVENTS_SECONDS
    assert states.ACKNOWLEDGE_SECONDS <= states.START_SECONDS <= sweep.BETWEEN_EVENTS_SECONDS
    assert pool.SETTLING_SECONDS < states.SETTLE_SECONDS
    assert sweep.UNREAD_SECONDS < serving.WRITE_SECONDS
    assert KEYS["limits.queue_seconds"].default < KEYS["limits.request_seconds"].default
