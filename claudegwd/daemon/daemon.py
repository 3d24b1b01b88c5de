"""The daemon: its nursery tree, and the order of startup and shutdown."""

import gc
import logging
import os
import resource
import signal
import socket
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import msgspec
import trio
from quart_trio import QuartTrio

from claudegwd import contract
from claudegwd.config.check import auth_required
from claudegwd.config.load import Loaded
from claudegwd.control.app import control_app
from claudegwd.control.controllable import Controls
from claudegwd.daemon.demo_greeting import greet
from claudegwd.daemon.own_files import ControlFace, hold_own_files
from claudegwd.daemon.systemd import Notifier, forget_inherited, inherited, take_watchdog_mark, watchdog_interval
from claudegwd.demo.demo import KEYS as DEMO_KEYS
from claudegwd.demo.demo import demo
from claudegwd.demo.endpoint import ScriptedEndpoint
from claudegwd.gateway.daemon_states import DaemonEvent
from claudegwd.gateway.gateway import Gateway, load_gateway
from claudegwd.gateway.reloader import Reloader
from claudegwd.gateway.status import condition, shuts_out
from claudegwd.keys.file import KeysSource, load_keys
from claudegwd.keys.key import UpstreamKey
from claudegwd.logs import LogHandler, LogRing, log
from claudegwd.logs import event as log_event
from claudegwd.notify.notice import of_watchdog
from claudegwd.public.app import public_app
from claudegwd.public.health import URGENT
from claudegwd.public.inside import inside_app
from claudegwd.redact import know_tokens
from claudegwd.servers.serving import Server, connections_within
from claudegwd.sockets.control import open_control
from claudegwd.sockets.public import KEPT_PREFIX, open_public
from claudegwd.store.database import open_database
from claudegwd.store.state_lock import StateLock
from claudegwd.supervised import supervised

# How long running answers may continue after SIGTERM. Less than the unit's TimeoutStopSec of 90 s.
DRAIN_SECONDS = 60.0
# While answers are running, systemd is asked for this much more time, again and again.
EXTEND_SECONDS = 15.0
FIRST_SPARE_SECONDS = 5.0  # 0.6 s was measured; after this the demo reports ready anyway
STATUS_SECONDS = 5.0  # how often the status line and the keep-alive are sent, or more often for a short watchdog
# A CLI in a workspace has a few concurrent requests; anything else may wait.
INSIDE_CONNECTIONS = 32

STOPPING = frozenset({signal.SIGTERM, signal.SIGINT})
# What logrotate and others send to have files reopened. We have none, and by default these end a process.
HARMLESS = frozenset({signal.SIGUSR1, signal.SIGUSR2})
RECEIVED = (*STOPPING, *HARMLESS, signal.SIGHUP)


@dataclass(frozen=True, slots=True)
class DaemonOptions:
    """What the command line sets in addition to the configuration."""

    config: Path | None = None
    demo: bool = False


async def run(
    loaded: Loaded, options: DaemonOptions, handler: LogHandler, logs: LogRing, env: Mapping[str, str]
) -> None:
    """Run until SIGTERM or SIGINT, then drain. Raises what prevents the start (SocketError, KeysError, NoCliError…)."""
    notifier = Notifier()
    passed = inherited(os.environ, os.getpid())
    forget_inherited(os.environ)
    hang_up_ends = signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN and _has_terminal()
    # Signals that arrive after draining are delivered again when the receiver closes: they must not kill the process
    # while it cleans up. Unlike SIG_IGN, a function is not inherited by the CLI.
    for number in RECEIVED:
        signal.signal(number, lambda *_: None)
    with ExitStack() as stack, trio.open_signal_receiver(*RECEIVED) as signals:
        public = open_public(loaded.config.server.bind, passed)
        stack.callback(public.close)
        auth_required(loaded.config, public.binds)  # a socket unit may listen more widely than the configuration says
        control = stack.enter_context(
            open_control(
                contract.daemon_socket_path(env, loaded.config.control.socket), loaded.config.control.group, passed
            )
        )
        lock = stack.enter_context(closing(StateLock(contract.state_directory(env))))
        await lock.take()
        database = stack.enter_context(closing(open_database(env)))
        async with trio.open_nursery() as nursery:
            keys = await _demo_keys(nursery) if options.demo else await _keys(loaded, env)
            know_tokens([*(key.token for key in keys.keys), *loaded.secrets.api_keys])
            for note in (*loaded.warnings, *keys.notes):
                log_event(log, logging.WARNING, "a note on the configuration", problem=note)
            gateway = await load_gateway(loaded, keys, database, logs, env)
            gateway.life.binds = public.binds
            if nobody_may_ask := shuts_out(gateway):
                log_event(log, logging.WARNING, nobody_may_ask, bind=", ".join(gateway.life.binds))
            fixed_keys = keys if options.demo else None
            reloader = Reloader(gateway, loaded, handler, config_option=options.config, fixed_keys=fixed_keys)
            if not await _start(nursery, gateway, loaded):
                nursery.cancel_scope.cancel()
                return
            await _tell_of_watchdog(gateway, env)
            room = connections_within(resource.getrlimit(resource.RLIMIT_NOFILE)[0], gateway.config.workers.max)
            sockets = [listener.socket for listener in public.listeners]
            server = Server(public_app(gateway), sockets, URGENT, room, lambda: gateway.config.server.max_body_bytes)
            await nursery.start(server.serve)
            gateway.workspaces.serve = partial(_serve_inside, inside_app(gateway))
            face = ControlFace(control_app(Controls(gateway, reloader)), control, nursery)
            await face.start()
            for name in public.stale:
                notifier.forget(name)
            for listener in public.listeners:
                if listener.name.startswith(KEPT_PREFIX):  # a socket unit keeps its own
                    notifier.keep(listener.name, listener.socket)
            watchdog = watchdog_interval(os.environ, os.getpid())
            for task, name in (
                (reloader.follow_keys, "following the keys"),
                (partial(hold_own_files, face, database, lock), "the daemon's own files"),
                (partial(_report, gateway, notifier, watchdog), "the report to systemd"),
            ):
                nursery.start_soon(supervised, task, name)
            # All that was made so far stays. The collector would walk over it again and again, which stops the event
            # loop for 20 to 50 ms each time.
            gc.collect()
            gc.freeze()
            notifier.ready(_status_line(gateway))
            if options.demo:
                await _first_spare(gateway)
            log_event(log, logging.INFO, "ready", version=gateway.life.version, bind=", ".join(gateway.life.binds))
            if options.demo:
                greet(gateway)
            await _until_stopped(signals, reloader, hang_up_ends=hang_up_ends)
            await _drain(gateway, server, notifier, signals)
            face.end()
            nursery.cancel_scope.cancel()
    log_event(log, logging.INFO, "stopped")


async def _start(nursery: trio.Nursery, gateway: Gateway, loaded: Loaded) -> bool:
    """Start the gateway; False if told to stop meanwhile, since waiting for a silent CLI takes half a minute."""
    # Only these two: a SIGHUP waits in the outer receiver until there is something to reload.
    with trio.CancelScope() as scope, trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async with trio.open_nursery() as both:
            both.start_soon(_cancel_when_told, signals, scope)
            await nursery.start(gateway.run, loaded)
            both.cancel_scope.cancel()
    return not scope.cancelled_caught


async def _tell_of_watchdog(gateway: Gateway, env: Mapping[str, str]) -> None:
    at = await trio.to_thread.run_sync(take_watchdog_mark, contract.state_directory(env))
    if at is not None:
        log_event(log, logging.ERROR, "the previous daemon hung and was killed by its watchdog")
        gateway.notifications.tell(of_watchdog(at, time.time()))


async def _cancel_when_told(signals: AsyncIterator[int], scope: trio.CancelScope) -> None:
    number = await anext(signals)
    log_event(log, logging.INFO, "stopping", signal=signal.Signals(number).name)
    scope.cancel()


async def _keys(loaded: Loaded, env: Mapping[str, str]) -> KeysSource:
    setting = loaded.config.keys.file
    path = contract.keys_path(env, loaded.path, setting)
    return await trio.to_thread.run_sync(lambda: load_keys(path, env, required=bool(setting)))


async def _demo_keys(nursery: trio.Nursery) -> KeysSource:
    endpoint = ScriptedEndpoint(demo)
    base_url = await nursery.start(endpoint.serve)
    keys = tuple(UpstreamKey(f"demo-{number}", token, base_url) for number, token in enumerate(DEMO_KEYS, 1))
    return KeysSource(keys, "the demo", writable=False, mend="start claudegwd without --demo to use your own")


async def _serve_inside(app: QuartTrio, listener: socket.socket) -> None:
    """Serve a CLI in a workspace on its own listener, until cancelled."""
    await Server(app, [listener], connections=INSIDE_CONNECTIONS).serve()


async def _first_spare(gateway: Gateway) -> None:
    """A new user's first request should not have to wait for a process to start."""
    with trio.move_on_after(FIRST_SPARE_SECONDS):
        while not gateway.pool.roster.counts()["spare"] and gateway.config.workers.spares:  # noqa: ASYNC110 - only briefly
            await trio.sleep(FIRST_SPARE_SECONDS / 100)


def _has_terminal() -> bool:
    """Whether the process still has its controlling terminal: once that is closed, it can no longer be opened."""
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC))
    except OSError:
        return False
    return True


async def _until_stopped(signals: object, reloader: Reloader, *, hang_up_ends: bool) -> None:
    tell, told = trio.open_memory_channel[None](1)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_reload_when_told, told, reloader)  # a CLI that hangs must not delay a stop
        async for number in signals:  # type: ignore[attr-defined]
            if number in HARMLESS:
                log_event(log, logging.INFO, "signal ignored: the log goes to stderr", signal=_name(number))
            elif number in STOPPING or (hang_up_ends and not _has_terminal()):
                log_event(log, logging.INFO, "stopping", signal=_name(number))
                nursery.cancel_scope.cancel()
                return
            else:
                with suppress(trio.WouldBlock):  # one that has not begun will read the same
                    tell.send_nowait(None)


async def _reload_when_told(told: trio.MemoryReceiveChannel[None], reloader: Reloader) -> None:
    async for _ in told:
        try:
            await reloader.reload()
        except Exception as error:  # noqa: BLE001 - a boundary: a bad configuration must not end the daemon
            log_event(log, logging.ERROR, "the configuration was not reloaded", problem=str(error))


async def _drain(gateway: Gateway, server: Server, notifier: Notifier, signals: object) -> None:
    """First readiness ends, then the answers and with them their connections, then everything is cut off.

    If the service manager keeps our listeners, new connections wait there for the next daemon, and open ones are
    answered, so a restart loses nothing. Otherwise new requests are refused, and told to try again. A second signal
    ends the wait.
    """
    gateway.life.change(DaemonEvent.TOLD_TO_STOP)
    notifier.stopping(_status_line(gateway))
    if notifier.listens:
        without_spares = msgspec.structs.replace(gateway.config.workers, spares=0)
        gateway.pool.configure(without_spares, gateway.config.limits)
    else:
        gateway.pool.drain()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_ask_for_time, notifier)
        patience = trio.CancelScope(deadline=trio.current_time() + DRAIN_SECONDS)
        nursery.start_soon(_hurry_if_told_again, signals, server, patience)
        await server.stop(DRAIN_SECONDS, kept=notifier.listens)
        with patience:
            await gateway.responses.running.until_idle()  # background responses have no connection
        if gateway.sharing is not None:
            await gateway.sharing.settle()
        nursery.cancel_scope.cancel()


def _name(number: int) -> str:
    return signal.Signals(number).name


async def _hurry_if_told_again(signals: object, server: Server, patience: trio.CancelScope) -> None:
    """A second Ctrl-C means now."""
    async for number in signals:  # type: ignore[attr-defined]
        if number in STOPPING:
            log_event(log, logging.WARNING, "stopping at once", signal=_name(number))
            server.hurry()
            patience.cancel()


async def _ask_for_time(notifier: Notifier) -> None:
    while True:
        notifier.extend(EXTEND_SECONDS)
        await trio.sleep(EXTEND_SECONDS / 3)


async def _report(gateway: Gateway, notifier: Notifier, watchdog: float | None) -> None:
    """The watchdog's keep-alive and the status line. It runs on the event loop that it vouches for."""
    every = min(STATUS_SECONDS, watchdog or STATUS_SECONDS)
    shown = ""
    while True:
        if watchdog is not None and gateway.pool.sweep.is_alive():
            notifier.alive()
        line = _status_line(gateway)
        if line != shown:
            notifier.status(line)
            shown = line
        await trio.sleep(every)


def _status_line(gateway: Gateway) -> str:
    counts = gateway.pool.roster.counts()
    keys = len(gateway.ring)
    return (
        f"{condition(gateway).state}: {gateway.counts.active} requests, {gateway.pool.queued} queued; "
        f"workers {counts['busy']} busy, {counts['idle']} idle, "
        f"{counts['parked']} parked, {counts['spare']} spare; {keys or 'no'} keys"
    )
