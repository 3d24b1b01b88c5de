"""A conversation in the terminal: its messages, and the slash commands. Pure, except that it reads image files."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from claudegwctl.problems import Problem
from claudegwd.contract import expanded

# Base64 makes it a third larger; with the rest of the request it still fits server.max_body_bytes at its default.
MAX_IMAGE_BYTES: Final = 20 * 2**20
# The image types that the Messages API accepts, by the first bytes of a file.
_KINDS: Final = (
    (b"\x89PNG\r\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"RIFF", "image/webp"),
)

HELP: Final = """\
/model NAME   switch to another model (`claudegwctl models` lists them)
/system TEXT  set the system prompt; without TEXT, remove it
/image FILE   attach an image to the next question
/new          start a new conversation
/quit         quit; so does Ctrl-D. Ctrl-C only stops the answer
//…           a question that starts with a slash"""


@dataclass
class Conversation:
    """`messages` are in OpenAI's format, without the system prompt; `images` are sent with the next question."""

    model: str
    system: str = ""
    messages: list[dict[str, Any]] = field(default_factory=list)
    images: list[str] = field(default_factory=list)

    def asked(self, text: str) -> dict[str, Any]:
        """The request body with `text` as the next question. Nothing is remembered until `answered`."""
        before = [{"role": "system", "content": self.system}] if self.system else []
        messages = [*before, *self.messages, {"role": "user", "content": self._content(text)}]
        return {
            "model": self.model,
            "messages": messages,
            "stream": True,
            "stream_options": {"include_usage": True},
        }

    def answered(self, text: str, answer: str) -> None:
        """Remember a question and its answer."""
        self.messages.append({"role": "user", "content": self._content(text)})
        self.messages.append({"role": "assistant", "content": answer})
        self.images = []

    def attach(self, path: Path) -> str:
        """Attach the image in the file to the next question, and return what to tell the user. Raises Problem."""
        try:
            with expanded(path).open("rb") as file:
                data = file.read(MAX_IMAGE_BYTES + 1)
        except OSError as error:
            raise Problem(
                f"cannot read {path}: {error.strerror or 'refused'}; choose a file that you can read"
            ) from None
        if len(data) > MAX_IMAGE_BYTES:
            raise Problem(f"cannot send {path}: it is larger than {MAX_IMAGE_BYTES // 2**20} MiB; make it smaller")
        kind = next((kind for start, kind in _KINDS if data.startswith(start)), None)
        if kind is None:
            raise Problem(f"cannot send {path}: it is not a PNG, JPEG, GIF or WebP; convert it")
        self.images.append(f"data:{kind};base64,{base64.b64encode(data).decode()}")
        return f"{path.name} will be sent with the next question"

    def command(self, line: str) -> str | None:
        """Run a slash command and return what to tell the user; None ends the chat. Raises Problem."""
        word, _, rest = line.partition(" ")
        rest = rest.strip()
        if word in {"/quit", "/exit"}:
            return None
        if word == "/model" and rest:
            self.model = rest
            return f"the model is {rest}"
        if word == "/system":
            self.system = rest
            return "the system prompt is set" if rest else "no system prompt"
        if word == "/image" and rest:
            return self.attach(Path(rest))
        if word == "/new":
            self.messages, self.images = [], []
            return "new conversation"
        return HELP

    def _content(self, text: str) -> str | list[dict[str, Any]]:
        if not self.images:
            return text
        images = [{"type": "image_url", "image_url": {"url": url}} for url in self.images]
        return [*images, {"type": "text", "text": text}]


def printable(text: str) -> str:
    """The text without control characters: an answer may contain anything."""
    return "".join(_printable(text))


def _printable(text: str) -> Iterator[str]:
    for each in text:
        if each in "\n\t" or not (ord(each) < 0x20 or 0x7F <= ord(each) < 0xA0):
            yield each
