"""Requests made from our own description, right ones and wrong ones: `python -m tests.fuzz.api --minutes 60`.

Every answer has to be one that the description promises, and none an error of our own. What fails is printed with a
`curl` line, and the exit status is 1.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections import Counter
from contextlib import suppress
from typing import Any

import httpx
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.e2e.daemon_process import Daemon
from tests.fuzz.served import MODELS, served, unforeseen

CHECKS = [status_code_conformance, content_type_conformance, response_schema_conformance]
# The fake CLI is told to crash now and then: that is the one 500 that may be.
CRASHED = "the Claude Code CLI failed"
EXAMPLES = 10  # of each operation and mode in one round


def fuzz(daemon: Daemon, until: float) -> Counter[str]:
    """Ask until that moment of time.monotonic(), once at least. How many answers had which status."""
    base_url = f"http://127.0.0.1:{daemon.port}"
    schema = schemathesis.openapi.from_url(f"{base_url}/openapi.json")
    seen: Counter[str] = Counter()
    chance = random.Random()
    operations = [result.ok() for result in schema.get_all_operations()]
    turns = [(operation, mode) for operation in operations for mode in GenerationMode]
    while not seen or time.monotonic() < until:
        chance.shuffle(turns)
        for operation, mode in turns:
            if seen and time.monotonic() > until:
                break
            _operation(operation, mode, base_url, chance.randrange(2**32), seen, until)
        print(dict(seen), flush=True)
    return seen


def _operation(
    operation: Any, mode: GenerationMode, base_url: str, number: int, seen: Counter[str], until: float
) -> None:
    chance = random.Random(number)

    @seed(number)
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(operation.as_strategy(generation_mode=mode))
    def ask(case: Any) -> None:
        if seen and time.monotonic() > until:
            return
        # A name that nobody offers ends most requests early; so mostly one that is offered.
        if isinstance(case.body, dict) and "model" in case.body and chance.random() < 0.9:
            case.body["model"] = chance.choice(MODELS)
        response = case.call(base_url=base_url, timeout=60)
        seen[str(response.status_code)] += 1
        # A 503 may be: the fake CLI answers in no response_format.
        assert response.status_code != 500 or CRASHED in response.text, response.text
        if "text/event-stream" in response.headers.get("content-type", [""])[0]:
            # Described as a text, which it is, and cut off by schemathesis; chunks have judges in tests/foreign.
            assert "internal_error" not in response.text
            return
        case.validate_response(response, checks=CHECKS)

    with suppress(Unsatisfiable):  # what takes nothing cannot be given something wrong
        ask()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=1.0)
    minutes: float = parser.parse_args().minutes
    with served() as daemon:
        print(dict(fuzz(daemon, time.monotonic() + minutes * 60)))
        alive = httpx.get(f"http://127.0.0.1:{daemon.port}/readyz", verify=False).status_code == 200
        found = unforeseen(daemon)
        print("\n".join(found) or "nothing unexpected in the log")
    return int(bool(found) or not alive)


if __name__ == "__main__":
    sys.exit(main())
