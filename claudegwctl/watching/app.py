"""The live view of `claudegwctl top`: the daemon's last known state, and the keyboard."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable
from functools import partial
from threading import Thread
from typing import Any, ClassVar, Final

from rich.text import Text
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import Input, Static

from claudegwctl.client import Daemon, quoted
from claudegwctl.problems import NotRunning, Problem
from claudegwctl.watching import approving, texts
from claudegwctl.watching.columns import cut, fitted, printable
from claudegwctl.watching.dialogues import Help, QuestionScreen
from claudegwctl.watching.reading import Look, Reader
from claudegwctl.watching.rows import Rows

# How long the outcome of a change is shown in place of the shortcuts.
NOTE_SECONDS: Final = 8.0

_STATE_STYLES: Final = {"ready": "bold green", "degraded": "bold red"}
_LABEL_STYLES: Final = {"problem": "red", "drained": "yellow", "clients": "yellow", "log": "red"}
_REQUEST_STYLES: Final = {"waiting_for_key": "red", "queued": "yellow", "waiting_first_token": "yellow"}
_KEY_STYLES: Final = {
    "active": "green", "cooling": "yellow", "exhausted": "yellow", "invalid": "red", "disabled": "dim",
}  # fmt: skip


class Top(App[None]):
    """Full screen, in the terminal's own colours."""

    ENABLE_COMMAND_PALETTE = False
    CSS = """
    Screen { overflow: hidden; }
    #head { height: auto; }
    .title { height: 1; text-style: bold; }
    #requests { height: 1fr; min-height: 2; }
    #foot { height: 1; dock: bottom; }
    #filter { height: 1; border: none; padding: 0; display: none; background: ansi_default; }
    #filter.open { display: block; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q,ctrl+c", "quit", priority=False),
        Binding("ctrl+z", "suspend_process"),
        Binding("s", "sort"),
        Binding("S", "reverse"),
        Binding("slash", "filter"),
        Binding("p,space", "pause"),
        Binding("r", "rotate"),
        Binding("d", "switch_key"),
        Binding("a", "decide('approve')"),
        Binding("x", "decide('deny')"),
        Binding("question_mark,h", "help"),
        Binding("escape", "leave_filter"),
    ]

    class Looked(Message):
        """The reader's thread has polled the daemon."""

        def __init__(self, found: Look | Problem) -> None:
            super().__init__()
            self.found = found

    class Changed(Message):
        """A change has been made, or refused."""

        def __init__(self, said: str) -> None:
            super().__init__()
            self.said = said

    def __init__(self, daemon: Daemon, first: Look, interval: float) -> None:
        super().__init__(ansi_color=True)  # otherwise Textual renders NO_COLOR in greys, which are colours too
        self.theme = "ansi-dark"
        self._daemon = daemon
        self._look = first
        self._problem: Problem | None = None
        self._sort = texts.SORTS[0]
        self._backwards = False
        self._wanted = ""
        self._paused = False
        self._note = ""
        self._note_until = 0.0
        self._reader = Reader(daemon, interval, lambda found: self.post_message(self.Looked(found)))

    def compose(self) -> ComposeResult:
        yield Static(id="head", markup=False)
        yield Static(id="requests-title", classes="title", markup=False)
        yield Rows("requests")
        yield Static(id="approvals-title", classes="title", markup=False)
        yield Rows("approvals", always_marked=True)
        yield Static("keys", classes="title", markup=False)
        yield Rows("keys", always_marked=True)  # shortcuts change the chosen key, whichever table has the focus
        yield Input(id="filter", placeholder="client or model", compact=True)
        yield Static(id="foot", markup=False)

    def on_mount(self) -> None:
        for number in (signal.SIGTERM, signal.SIGHUP):  # to leave the terminal as it was
            asyncio.get_running_loop().add_signal_handler(number, self.exit)
        self.app_resume_signal.subscribe(self, lambda _: self._repaint())
        self.query_one("#keys").focus()
        self._reader.start()

    def on_unmount(self) -> None:
        self._reader.stop()

    def _repaint(self) -> None:
        """Redraw everything after the shell has used the screen: Textual (8.2) would draw only what has changed."""
        for each in (self.screen, *self.screen.walk_children()):
            each.refresh()

    # -- what is shown ------------------------------------------------------------------------------------------------

    def on_top_looked(self, message: Looked) -> None:
        if isinstance(message.found, Problem):
            self._problem = message.found
        else:
            self._look, self._problem = message.found, None
        self._show()

    def on_rows_resized(self) -> None:
        self._show()

    def _show(self) -> None:
        width = self.size.width
        height = self.size.height - self._show_approvals(width)
        heading = self._head(width, height)
        self._put("#head", Text("\n").join(heading))
        self._show_requests(width)
        keys = texts.key_rows(self._look.status, time.time())
        styles = [_KEY_STYLES.get(row.get("state", ""), "") for row in keys]
        table = self.query_one("#keys", Rows)
        table.styles.height = min(len(keys) + 1, texts.room_for_keys(height, len(heading)))
        table.show(fitted(texts.KEYS, keys, width), [row["name"] for row in keys], styles)
        self._put("#foot", Text(cut(self._foot(width), width)))

    def _show_requests(self, width: int) -> None:
        every = [] if self._problem else self._look.requests
        rows = texts.sort_and_filter(every, self._sort, self._wanted, backwards=self._backwards)
        title = texts.requests_title(
            len(every), len(rows), self._sort, self._wanted, backwards=self._backwards, paused=self._paused
        )
        self._put("#requests-title", Text(cut(title, width)))
        styles = [_REQUEST_STYLES.get(row["state"], "") for row in rows]
        names = [row["request_id"] for row in rows]
        self.query_one("#requests", Rows).show(fitted(texts.REQUESTS, rows, width), names, styles)

    def _show_approvals(self, width: int) -> int:
        """Show the approvals and return how many lines they take."""
        waiting = [] if self._problem else self._look.approvals
        rows = approving.approval_rows(waiting, time.time())
        table, lines = self.query_one("#approvals", Rows), approving.lines_of(len(rows))
        for each in (table, self.query_one("#approvals-title", Static)):
            each.display = bool(rows)
        if rows:
            title = f"approvals {len(rows)}  a approves the selected one, x denies it"
            self._put("#approvals-title", Text(cut(title, width), "bold yellow"))
            table.styles.height = lines - 1
        table.show(fitted(approving.APPROVALS, rows, width), [row["id"] for row in rows], [""] * len(rows))
        return lines

    def _head(self, width: int, height: int) -> list[Text]:
        name, state, uptime = texts.gateway_line(self._look.status)
        if self._problem is not None:
            gone = isinstance(self._problem, NotRunning)
            said = "not running, trying again" if gone else f"{self._problem}; trying again"
            return [Text(cut(f"claudegwd: {printable(said)}", width), "bold red")]
        first = Text.assemble(f"{name}  ", (state, _STATE_STYLES.get(state, "bold yellow")), f"  {uptime}")
        first.truncate(width)
        lines = [first]
        for label, text in texts.head(self._look.status, time.time()):
            line = cut(texts.labelled(label, printable(text)), width)
            lines.append(Text(line, _LABEL_STYLES.get(label, "")))
        return lines[: texts.room_for_head(height)]

    def _foot(self, width: int) -> str:
        if self.query_one("#filter", Input).has_class("open"):
            return "enter keeps it, escape clears it"
        return self._note if time.monotonic() < self._note_until else texts.shortcuts(width)

    def _put(self, where: str, text: Text) -> None:
        """Draw the text only if it has changed."""
        static = self.query_one(where, Static)
        if static.content != text:
            static.update(text)

    # -- the keyboard -------------------------------------------------------------------------------------------------

    def action_sort(self) -> None:
        self._sort = texts.SORTS[(texts.SORTS.index(self._sort) + 1) % len(texts.SORTS)]
        self._show()

    def action_reverse(self) -> None:
        self._backwards = not self._backwards
        self._show()

    def action_pause(self) -> None:
        self._paused = not self._paused
        self._reader.pause(self._paused)
        self._show()

    def action_help(self) -> None:
        self.push_screen(Help())

    def action_filter(self) -> None:
        field = self.query_one("#filter", Input)
        field.add_class("open")
        field.focus()
        self._show()

    def action_leave_filter(self) -> None:
        """Show everything again."""
        self.query_one("#filter", Input).value = ""
        self._close_filter()

    def on_input_changed(self, event: Input.Changed) -> None:
        self._wanted = event.value.strip()
        self._show()

    def on_input_submitted(self) -> None:
        self._close_filter()

    def _close_filter(self) -> None:
        field = self.query_one("#filter", Input)
        if field.has_focus:
            self.query_one("#requests").focus()
        field.remove_class("open")
        self._show()

    def action_rotate(self) -> None:
        keys = self.query_one("#keys", Rows)
        name = keys.chosen if keys.has_focus and self._key(keys.chosen) else None
        which = f"key “{name}”" if name is not None else "the next key"
        change = partial(self._daemon.ask, "POST", "/v1/rotate", {"to": name})
        self._ask(f"Make {which} the active one?", change, lambda done: f"now using {done['to']}")

    def action_switch_key(self) -> None:
        """Disable the chosen key, or enable it again."""
        key = self._key(self.query_one("#keys", Rows).chosen)
        if key is None:
            self._say("cannot disable a key: there are none; add one with `claudegwctl keys add NAME`")
            return
        name, disabled = key["name"], key["state"] == "disabled"
        text = f"Enable key “{name}” again?" if disabled else f"Disable key “{name}”? It will no longer be used."
        body = {"status": "active" if disabled else "disabled"}
        change = partial(self._daemon.ask, "PATCH", f"/v1/keys/{quoted(name)}", body)
        self._ask(text, change, lambda done: f"{name} is {done['state']}")

    def action_decide(self, verb: str) -> None:
        """Approve or deny the chosen request."""
        chosen = self.query_one("#approvals", Rows).chosen
        row = next((row for row in self._look.approvals if row["id"] == chosen), None)
        if row is None:
            self._say(f"cannot {verb} anything: nothing is waiting for approval")
            return
        body: dict[str, Any] = {"always": False} if verb == "approve" else {"why": ""}
        change = partial(self._daemon.ask, "POST", f"/v1/approvals/{quoted(row['id'])}/{verb}", body)
        said = f"{'approved' if verb == 'approve' else 'denied'} {row['id']}"
        self._ask(approving.question(row, verb.capitalize()), change, lambda _: said)

    def _key(self, name: str | None) -> dict[str, Any] | None:
        keys: list[dict[str, Any]] = self._look.status.get("keys") or []
        return next((key for key in keys if key["name"] == name), None)

    def _ask(self, text: str, change: Callable[[], dict[str, Any]], said: Callable[[dict[str, Any]], str]) -> None:
        def answered(yes: bool | None) -> None:
            if yes:
                Thread(target=self._change, args=(change, said), daemon=True).start()

        self.push_screen(QuestionScreen(text), answered)

    def _change(self, change: Callable[[], dict[str, Any]], said: Callable[[dict[str, Any]], str]) -> None:
        """Runs in its own thread: the daemon may take a long time."""
        try:
            told = said(change())
        except Problem as problem:
            told = str(problem)
        self.post_message(self.Changed(told))

    def on_top_changed(self, message: Changed) -> None:
        self._say(message.said)
        self._reader.look_now()

    def _say(self, text: str) -> None:
        self._note, self._note_until = printable(text), time.monotonic() + NOTE_SECONDS
        self.set_timer(NOTE_SECONDS, self._show)
        self._show()
