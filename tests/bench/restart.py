"""Many WebSockets with an answer under way each, and a restart: `python -m tests.bench.restart`.

Every answer that had begun has to come whole, every client has to be sent on with code 1012, and every one of them has
to be answered by the next daemon. Exit status 1 and the numbers otherwise. The CLI is the fake one: each answer holds a
process for some seconds.
"""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import trio

from tests.bench.programs import gateway
from tests.fake_binary import write_fake_cli
from tests.websocket_client import Closed, Socket, connected

DELTAS = 100
MODEL = f"fake-deltas-{DELTAS}-gap-50"
PATIENCE_SECONDS = 240.0
SENT_ON = 1012


@dataclass
class Tally:
    """How many clients came how far."""

    begun: int = 0
    whole: int = 0
    sent_on: int = 0
    answered_again: int = 0
    seconds: float = 0.0  # from the signal to the end of the daemon


async def restart(sockets: int, deltas: int = DELTAS) -> Tally:
    """Run it with so many clients, whose answers have so many pieces."""
    tally, model = Tally(), MODEL.replace(str(DELTAS), str(deltas))
    workers = f"max = {sockets}\nspares = 1"
    with tempfile.TemporaryDirectory(prefix="claudegwd-restart-") as scratch:
        cli = write_fake_cli(Path(scratch))
        limits = f"queue = {sockets}\nqueue_seconds = 200"
        all_begun = trio.Event()
        async with (
            gateway(cli, models=(model,), workers=workers, limits=limits) as first,
            trio.open_nursery() as clients,
        ):

            async def client() -> None:
                async with connected(first.port) as socket:
                    await socket.create(model=model, input="go", store=False)
                    while (await socket.receive())["type"] != "response.output_text.delta":
                        pass
                    tally.begun += 1
                    if tally.begun == sockets:
                        all_begun.set()
                    await _to_the_end(socket, deltas, tally)

            for _ in range(sockets):
                clients.start_soon(client)
            await all_begun.wait()
            began = time.monotonic()
            first.process.send_signal(signal.SIGTERM)
            await trio.to_thread.run_sync(first.process.wait)
            tally.seconds = time.monotonic() - began
        async with (
            gateway(cli, models=(model,), workers=workers, limits=limits, port=first.port),
            trio.open_nursery() as clients,
        ):
            for _ in range(sockets):
                clients.start_soon(_again, first.port, model, tally)
    return tally


async def _to_the_end(socket: Socket, deltas: int, tally: Tally) -> None:
    last = (await socket.answer())[-1]
    text = "".join(part["text"] for item in last["response"]["output"] for part in item.get("content", ()))
    tally.whole += last["type"] == "response.completed" and len(text) >= deltas
    try:
        await socket.receive()
    except Closed as closed:
        tally.sent_on += closed.code == SENT_ON


async def _again(port: int, model: str, tally: Tally) -> None:
    async with connected(port) as socket:
        last = await socket.ask(model=model, input="on")
        tally.answered_again += last["type"] == "response.completed"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.restart", description=__doc__.split("\n\n")[0])
    parser.add_argument("--sockets", type=int, default=200, help="how many clients (default 200)")
    arguments = parser.parse_args()

    async def bounded() -> Tally:
        with trio.fail_after(PATIENCE_SECONDS):
            return await restart(arguments.sockets)

    tally = trio.run(bounded)
    sys.stdout.write(f"{tally}\n")
    counts = (tally.begun, tally.whole, tally.sent_on, tally.answered_again)
    return 0 if set(counts) == {arguments.sockets} else 1


if __name__ == "__main__":
    sys.exit(main())
