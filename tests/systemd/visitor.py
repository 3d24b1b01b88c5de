"""A client of the gateway in the lab's network, with OpenAI's own library: `python -m tests.systemd.visitor WHAT …`.

Progress goes to stdout line by line, and the last line is JSON of what was found. Nothing is ever asked twice: a
request that is refused or lost counts as such.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

import openai

# A restart, and a start on a busy machine, lie within.
SECONDS = 90.0
CLIENTS = 8
# The demo speaks at a pace at which one sees it stream; its first sentence is enough.
FEW_TOKENS = 16


def say(value: Any) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


def client(port: str) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key="none", max_retries=0, timeout=SECONDS)


def messages(text: str) -> Any:
    return [{"role": "user", "content": text}]


async def ask(port: str, text: str) -> None:
    """One answer; or the error's status."""
    try:
        answer = await client(port).chat.completions.create(
            model="sonnet", messages=messages(text), max_completion_tokens=FEW_TOKENS
        )
    except openai.APIStatusError as error:
        say({"status": error.status_code})
    else:
        say({"status": 200, "text": answer.choices[0].message.content})


async def stream(port: str, text: str) -> None:
    """One streamed answer; says "begun" at its first words."""
    said, reason = "", None
    async for chunk in await client(port).chat.completions.create(model="sonnet", messages=messages(text), stream=True):
        if not said and chunk.choices[0].delta.content:
            say("begun")
        said += chunk.choices[0].delta.content or ""
        reason = chunk.choices[0].finish_reason or reason
    say({"text": said, "finish_reason": reason})


async def crowd(port: str, count: str) -> None:
    """So many questions over connections that are kept, from some clients at once; says the number of each answer."""
    left = iter(range(int(count)))
    failed: list[str] = []
    done = 0

    async def one() -> None:
        nonlocal done
        async with client(port) as mine:
            for number in left:
                asked = messages(f"Question {number}.")
                try:
                    answer = await mine.chat.completions.create(model="sonnet", messages=asked)
                    assert answer.choices[0].finish_reason == "stop"
                except (openai.APIError, AssertionError) as error:
                    failed.append(f"{number}: {type(error).__name__} {error}")
                done += 1
                say(done)

    await asyncio.gather(*(one() for _ in range(CLIENTS)))
    say({"answered": done - len(failed), "failed": failed})


if __name__ == "__main__":
    asyncio.run({"ask": ask, "stream": stream, "crowd": crowd}[sys.argv[1]](*sys.argv[2:]))
