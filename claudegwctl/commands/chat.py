"""claudegwctl chat"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from claudegwctl.client import Daemon, quoted
from claudegwctl.options import AsJson, daemon_of, new_app, wants_json
from claudegwctl.output import coloured, note, say, say_json, show
from claudegwctl.problems import Problem, Refused, UsageError

if TYPE_CHECKING:
    from claudegwctl.chatting.asking import ChatAnswer
    from claudegwctl.chatting.conversation import Conversation
    from claudegwctl.public import Address

app = new_app()

# An endless pipe would fill the memory; by default the gateway accepts no larger body anyway.
MAX_PIPED_CHARS: Final = 32 * 2**20
# If this program is killed, the key that it created still expires.
TEMPORARY_SECONDS: Final = 86_400.0
_NOT_FOR_US: Final = (
    "no such model, or its workspace is for other clients (`claudegwctl workspaces list`); set GATEWAY_KEY to the key "
    "of one that may use it"
)


@app.command(epilog='Example: git diff | claudegwctl chat -m haiku "Write a commit message."')
def chat(
    ctx: typer.Context,
    text: Annotated[
        list[str] | None, typer.Argument(help="The question; if omitted, an interactive conversation starts.")
    ] = None,
    model: Annotated[str, typer.Option("--model", "-m", help="The model to ask.")] = "",
    system: Annotated[str, typer.Option("--system", "-s", help="The system prompt.")] = "",
    image: Annotated[list[Path] | None, typer.Option(help="Attach this image; may be repeated.")] = None,
    temporary_key: Annotated[
        bool,
        typer.Option("--temporary-key", help="Create a client key for this chat, and remove it when the chat ends."),
    ] = False,
    json: AsJson = False,
) -> None:
    """Talk to a model through the gateway, like any other client.

    With TEXT or piped input it asks one question and prints only the answer; otherwise it starts a
    conversation, in which /help lists the commands. If the gateway requires a key, it is taken from GATEWAY_KEY.
    """
    from claudegwctl.chatting.conversation import Conversation
    from claudegwctl.public import address_of

    daemon = daemon_of(ctx)
    address = address_of(daemon.get("/v1/status"))
    talk = Conversation(model or _default_model(daemon), system)
    for path in image or ():
        talk.attach(path)
    as_json = wants_json(ctx, json)
    question = _question(text or [])
    with _key(daemon, temporary=temporary_key) as key:
        if question is not None:
            _one(address, talk, question, key, as_json=as_json)
        elif sys.stdin.isatty():
            _converse(address, talk, key, as_json=as_json)
        else:
            raise UsageError('cannot ask: no question given; give one, as in `claudegwctl chat "Hello!"`')


def _default_model(daemon: Daemon) -> str:
    rows = daemon.get("/v1/config")["settings"]
    return next(str(row["value"]) for row in rows if row["key"] == "claude.default_model")


def _question(words: list[str]) -> str | None:
    """The arguments, followed by the piped input."""
    said = " ".join(words)
    piped = _piped()
    if len(piped) > MAX_PIPED_CHARS:
        raise Problem(f"cannot ask: the piped input is longer than {MAX_PIPED_CHARS} characters")
    return "\n\n".join(part for part in (said, piped) if part.strip()) or None


def _piped() -> str:
    # Only what has an end: a script would wait for ever for a terminal or socket that it inherited.
    try:
        mode = os.fstat(sys.stdin.fileno()).st_mode
    except (OSError, ValueError, AttributeError):
        return ""
    if not (stat.S_ISFIFO(mode) or stat.S_ISREG(mode)):
        return ""
    sys.stdin.reconfigure(errors="replace")  # type: ignore[union-attr]
    return sys.stdin.read(MAX_PIPED_CHARS + 1)


@contextmanager
def _key(daemon: Daemon, *, temporary: bool) -> Iterator[str | None]:
    if not temporary:
        from claudegwctl.public import client_key

        yield client_key(os.environ)
        return
    import time

    name = f"chat-{os.getpid()}"
    made = daemon.ask("POST", "/v1/clients", {"name": name, "expires": time.time() + TEMPORARY_SECONDS})
    try:
        yield str(made["key"])
    finally:
        daemon.ask("DELETE", f"/v1/clients/{quoted(name)}?forget=1")


def _one(address: Address, talk: Conversation, question: str, key: str | None, *, as_json: bool) -> None:
    from claudegwctl.chatting.asking import ask

    told = _asking(
        lambda: ask(address, talk.asked(question), key, (lambda _: None) if as_json else _show), talk.model, key
    )
    talk.answered(question, told.text)
    if as_json:
        say_json(told.as_dict())
        return
    say()
    note(coloured(told.summary(), "dim") if sys.stderr.isatty() else told.summary())


def _show(text: str) -> None:
    from claudegwctl.chatting.conversation import printable

    show(printable(text) if sys.stdout.isatty() else text)


def _asking(work: Callable[[], ChatAnswer], model: str, key: str | None) -> ChatAnswer:
    try:
        return work()
    except Refused as refused:
        if refused.code == "invalid_api_key":
            raise Problem(_refused_key(str(refused), key)) from None
        if refused.code == "model_not_found":
            why = "no such model; `claudegwctl models` lists them"
            if "@" in model:  # that list has it, but for other clients it does not exist
                why = _NOT_FOR_US
            elif key:  # which may not use all of those, so the gateway knows better
                why = str(refused).partition(": ")[2] or why
            raise Problem(f"cannot chat with {model!r}: {why}") from None
        raise


def _refused_key(reason: str, key: str | None) -> str:
    """What to say if the gateway does not accept the key, or its absence, in the gateway's words."""
    from claudegwctl.public import KEY_VARIABLE

    if not key:
        return f"cannot chat: the gateway requires a client key; set {KEY_VARIABLE}, or use --temporary-key"
    whose = f"the key in {KEY_VARIABLE}" if key == os.environ.get(KEY_VARIABLE, "").strip() else "the temporary key"
    return f"cannot chat: {whose} is not accepted: {reason.partition(': ')[2] or reason}"


def _converse(address: Address, talk: Conversation, key: str | None, *, as_json: bool) -> None:
    with suppress(ImportError):
        import readline  # noqa: F401 - it adds line editing to `input`
    if not as_json:
        note(f"{talk.model} at {address.url}; /help lists commands, Ctrl-D quits")
    while True:
        try:
            line = _line().strip()
        except KeyboardInterrupt:
            note("")
            continue
        except EOFError:
            note("")
            return
        if line.startswith("/") and not line.startswith("//"):
            if not _obey(talk, line):
                return
        elif line:
            _turn(address, talk, line.removeprefix("/") if line.startswith("//") else line, key, as_json=as_json)


def _line() -> str:
    """The next line that is typed. The prompt is not part of the output, which may go to a file or a program."""
    if sys.stdout.isatty():
        return input("> ")
    sys.stderr.write("> ")
    sys.stderr.flush()
    return input()


def _obey(talk: Conversation, line: str) -> bool:
    try:
        said = talk.command(line)
    except Problem as problem:
        said = str(problem)
    if said is not None:
        note(said)
    return said is not None


def _turn(address: Address, talk: Conversation, question: str, key: str | None, *, as_json: bool) -> None:
    try:
        _one(address, talk, question, key, as_json=as_json)
    except KeyboardInterrupt:
        note("\ninterrupted; the question is discarded")
    except Problem as problem:
        note(str(problem))
