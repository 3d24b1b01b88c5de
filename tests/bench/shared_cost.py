"""What `[shared]` adds to a request: `python -m tests.bench.shared_cost`, from the root of the source tree; a minute.

Three daemons over the fake CLI, which answers at once, with the same limits for their client: one without a store, one
with a store over a Unix socket, one over TCP on loopback. They are asked in turn, so that what else the machine does
meets all of them alike; of each turn the differences are taken, and of those the median.
"""

from __future__ import annotations

import argparse
import sys
import time
from contextlib import ExitStack
from statistics import median, quantiles

import httpx

from tests.e2e.daemon_process import Daemon, free_port
from tests.e2e.haproxy_process import short_home
from tests.fake_binary import write_fake_cli
from tests.redis_server import redis_server

MODEL = "fake-echo-1"
MOST_MS = 0.5  # what it may add
FIRST = 50  # requests that bring workers and connections
# So high that none is reached: what is measured is that they are counted.
LIMITS = "requests_per_minute = 1000000\ntokens_per_minute = 1000000000\nconcurrent_requests = 100\n"


def main(turns: int) -> int:
    with short_home() as home, ExitStack() as stack:
        port = free_port()
        store = stack.enter_context(redis_server("--port", str(port)))
        cli = write_fake_cli(home)
        places = {"no store": "", "Unix socket": store.url, "TCP": f"redis://127.0.0.1:{port}"}
        clients: dict[str, httpx.Client] = {}
        for number, (name, url) in enumerate(places.items()):
            shared = f'[shared]\nurl = "{url}"\nmachine = "m{number}"\n' if url else ""
            config = f'[claude]\nmodels = ["{MODEL}"]\n[limits]\n{LIMITS}[log]\nlevel = "warning"\n{shared}'
            daemon = Daemon("http://127.0.0.1:9", ("sk-false-good-0001",), config, cli=cli)
            stack.callback(daemon.remove)
            daemon.start()
            clients[name] = stack.enter_context(httpx.Client(base_url=f"http://127.0.0.1:{daemon.port}", timeout=60))
        taken: dict[str, list[float]] = {name: [] for name in places}
        for turn in range(FIRST + turns):
            for name, client in clients.items():
                seconds = ask(client)
                if turn >= FIRST:
                    taken[name].append(seconds * 1000)
    plain = taken["no store"]
    print(f"{turns} requests each; ms        median     99 %    added, median of the differences")
    worst = 0.0
    for name, found in taken.items():
        added = median(later - first for later, first in zip(found, plain, strict=True))
        worst = max(worst, added)
        print(f"{name:28} {median(found):8.3f} {quantiles(found, n=100)[98]:8.3f} {added:8.3f}")
    return 1 if worst >= MOST_MS else 0


def ask(client: httpx.Client) -> float:
    body = {"model": MODEL, "messages": [{"role": "user", "content": "Hello."}]}
    began = time.perf_counter()
    answer = client.post("/v1/chat/completions", json=body)
    seconds = time.perf_counter() - began
    assert answer.status_code == 200, answer.text
    assert "x-ratelimit-remaining-requests" in answer.headers
    return seconds


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=2000)
    sys.exit(main(parser.parse_args().turns))
