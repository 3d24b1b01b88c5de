"""Both protocols with what nobody would send: `python -m tests.fuzz.codecs --minutes 60`.

A body of the outer protocol is planned or refused as its caller's fault; a line of the CLI is an event or an
EventError, and events in any order are outputs or a typed error. Anything else is a crash: it is printed with the seed
that brings it back (`--seed N --minutes 0`), and the exit status is 1.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from claudegwd.claude_cli.events import EventError, decode_event
from claudegwd.claude_cli.lines import LineDecoder, LineTooLongError
from claudegwd.openai_api.bounds import Bounds
from claudegwd.openai_api.chat.request import parse_chat_request
from claudegwd.openai_api.completions.request import parse_completions_request
from claudegwd.openai_api.errors import CallerError
from claudegwd.openai_api.older_gateway.resources import parse_project, parse_session
from claudegwd.openai_api.responses.request import ResponsesRequest, parse_responses_request
from claudegwd.store.responses import KeptResponse, KeptResponses
from claudegwd.store.sealing import Seal
from claudegwd.transitions import ImpossibleTransition
from claudegwd.translate.answer.turn import TurnError
from claudegwd.translate.request.catalogue import Model
from claudegwd.translate.request.plan import make_plan
from tests.fuzz import mutate
from tests.fuzz.seeds import BODIES, LINES

BOUNDS = Bounds()
KEPT = b'[{"id":"msg_1","type":"message","role":"user","content":"kept"}]'
MODELS = [
    Model("m", "m", "m", "", efforts, thinking, thinking_off, 0, structured)
    for efforts, thinking, thinking_off, structured in (
        ((), "none", True, False),
        (("low", "high"), "budget", True, True),
        (("low", "high", "max"), "adaptive", False, True),
    )
]
MAX_CHANGES = 6


def body(chance: random.Random) -> str:
    """One request body of any route, to its plan."""
    route, good = chance.choice(BODIES)
    written = json.dumps(mutate.value(chance, good, chance.randrange(MAX_CHANGES))).encode()
    if chance.random() < 0.3:
        written = mutate.data(chance, written, chance.randrange(1, MAX_CHANGES))
    try:
        if route == "chat":
            make_plan(parse_chat_request(written, BOUNDS), chance.choice(MODELS), "c", "c")
        elif route == "completions":
            for each in parse_completions_request(written, BOUNDS).chat_requests():
                make_plan(each, chance.choice(MODELS), "c", "c")
        elif route == "responses":
            kept = KeptResponses()
            kept.keep("c", KeptResponse("resp_1", None, b'{"output":[]}', KEPT, ("msg_1",)), 0.0)
            wanted = parse_responses_request(written, BOUNDS, kept.of("c", 0.0, 10**6, Seal(b"k" * 32)))
            _planned(wanted, chance)
        else:
            (parse_project if route == "project" else parse_session)(written, BOUNDS)
    except CallerError as error:
        error.body()
        return "refused"
    return "taken"


def _planned(wanted: ResponsesRequest, chance: random.Random) -> None:
    """Plan it, and tell an error of the plan as the client is told it."""
    try:
        make_plan(wanted.chat, chance.choice(MODELS), "c", "c")
    except CallerError as error:
        raise wanted.paths.told(error) from None


def lines(chance: random.Random) -> str:
    """What a CLI might write: changed lines in a changed order, in pieces of any size, into a turn."""
    _, good = BODIES[0]
    turn = make_plan(parse_chat_request(json.dumps(good).encode(), BOUNDS), MODELS[0], "c", "c").turn()
    chosen = [chance.choice(LINES) for _ in range(chance.randrange(12))] if chance.random() < 0.5 else list(LINES)
    rows = []
    for line in chosen:
        changed = mutate.value(chance, line, chance.choice((0, 0, 0, 1, 2)))
        row = json.dumps(changed).encode()
        rows.append(row if chance.random() < 0.9 else mutate.data(chance, row, 2))
    decoder, stream = LineDecoder(), b"\n".join(rows) + b"\n"
    try:
        while stream:
            size = chance.choice((1, 7, 100, 10_000))
            for row in decoder.feed(stream[:size]):
                turn.feed(decode_event(row))
            stream = stream[size:]
        turn.lost()
    except (EventError, LineTooLongError, TurnError, ImpossibleTransition) as error:
        return type(error).__name__
    return "read"


TARGETS: tuple[Callable[[random.Random], str], ...] = (body, lines)


def fuzz(until: float, seed: int | None = None) -> Counter[str]:
    """Try until that moment of time.monotonic(); with a seed only that one. How often came what."""
    seen: Counter[str] = Counter()
    while True:
        number = random.SystemRandom().randrange(2**48) if seed is None else seed
        chance = random.Random(number)
        target = chance.choice(TARGETS)
        try:
            seen[f"{target.__name__} {target(chance)}"] += 1
        except Exception as error:
            error.add_note(f"again: python -m tests.fuzz.codecs --minutes 0 --seed {number}")
            raise
        if seed is not None or time.monotonic() > until:
            return seen


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--seed", type=int)
    given: Any = parser.parse_args()
    print(dict(fuzz(time.monotonic() + given.minutes * 60, given.seed)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
