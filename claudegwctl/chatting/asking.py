"""Ask one question of a chat: stream the answer's text, and measure it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from claudegwctl.public import Address, events, texts


@dataclass
class ChatAnswer:
    """An answer. `first_token_seconds` is the time from sending the question to the first text; `worker` is how the
    gateway got its process (x-claudegw-worker)."""

    text: str = ""
    model: str = ""
    worker: str = ""
    finish_reason: str = ""
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    first_token_seconds: float | None = None
    seconds: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    def summary(self) -> str:
        """One line for people."""
        parts = [self.model]
        if self.completion_tokens is not None:
            parts.append(f"{self.prompt_tokens} + {self.completion_tokens} tokens")
        if self.first_token_seconds is not None:
            parts.append(f"first token after {self.first_token_seconds:.2f} s, done after {self.seconds:.2f} s")
        parts.append(f"worker {self.worker}" if self.worker else "")
        if self.finish_reason not in {"", "stop"}:
            parts.append(f"finish reason {self.finish_reason}")
        return " · ".join(part for part in parts if part)


def ask(address: Address, body: Mapping[str, Any], key: str | None, show: Callable[[str], None]) -> ChatAnswer:
    """Ask, and pass each piece of text to `show` as it arrives. Raises what `events` raises."""
    told, begun = ChatAnswer(model=str(body["model"])), time.monotonic()
    pieces: list[str] = []
    with events(address, "/chat/completions", body, key) as (headers, found):
        told.worker = headers.get("x-claudegw-worker", "")
        for text, event in texts(found):
            _read(told, event)
            if text:
                if told.first_token_seconds is None:
                    told.first_token_seconds = time.monotonic() - begun
                pieces.append(text)
                show(text)
    told.text = "".join(pieces)
    told.seconds = time.monotonic() - begun
    return told


def _read(told: ChatAnswer, event: Mapping[str, Any]) -> None:
    told.model = event.get("model") or told.model
    if usage := event.get("usage"):
        told.prompt_tokens = usage.get("prompt_tokens")
        told.completion_tokens = usage.get("completion_tokens")
    for choice in event.get("choices") or ():
        told.finish_reason = choice.get("finish_reason") or told.finish_reason
