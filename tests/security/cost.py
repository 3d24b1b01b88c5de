"""What authentication and limits cost a request with 10,000 client keys: `python -m tests.security.cost`."""

from __future__ import annotations

import statistics
import time

from claudegwd.limits.clients import Client, ClientBook, ClientTotals, client_token, token_digest
from claudegwd.limits.meter import Limits

CLIENTS = 10_000
ROUNDS = 20_000


def main() -> None:
    tokens = [client_token(number.to_bytes(32, "big")) for number in range(CLIENTS)]
    clients = [(Client(f"c{number}", token_digest(token)), ClientTotals()) for number, token in enumerate(tokens)]
    book = ClientBook(clients, default=Limits(1_000_000, 1_000_000_000, 1_000_000))
    took = []
    for number in range(ROUNDS):
        now = time.monotonic()
        started = time.perf_counter()
        client = book.authenticate(tokens[number * 7919 % CLIENTS], now)
        meter = book.meter(client, now)
        admission = meter.admit(now)
        admission.reserve(600, 400, now)
        meter.headers(now)
        admission.settle(900, now)
        book.used(client, 900, now)
        admission.end()
        took.append((time.perf_counter() - started) * 1e6)
    p50, p95 = statistics.median(took), statistics.quantiles(took, n=20)[-1]
    print(f"{CLIENTS} client keys: p50 {p50:.0f} us, p95 {p95:.0f} us a request")


if __name__ == "__main__":
    main()
