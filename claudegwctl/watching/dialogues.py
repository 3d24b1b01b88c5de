"""The dialogs over the tables: a question before something is changed, and the help."""

from __future__ import annotations

from typing import ClassVar, Final

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Static

HELP: Final = """\
up, down  select a row     tab  the next table
s  sort by the next column       S  reverse
/  show only clients or models containing a text
   (enter keeps it, escape clears it)
p  pause or resume the view
r  make another key the active one: the selected
   one if the keys have the focus, else the next
d  disable or enable the selected key
a, x  approve or deny the selected request of a
   workspace; shown only while one is waiting
q  quit                          ?  this help

waiting: no token yet       queued: no worker yet
no key: all are limited     sending: client reads slowly
Tokens are estimates until an answer is complete."""


class Box(ModalScreen[bool]):
    DEFAULT_CSS = """
    Box { align: center middle; background: transparent; }
    Box > Vertical { width: auto; max-width: 100%; height: auto; max-height: 100%; border: round ansi_default;
                      background: ansi_default;
                      padding: 0 1; }
    Box Static { width: auto; max-width: 100%; height: auto; }
    """

    def __init__(self, text: str) -> None:
        super().__init__()
        self._text = text

    def compose(self) -> ComposeResult:
        with Vertical():
            yield Static(self._text, markup=False)


class QuestionScreen(Box):
    """Returns whether the answer was yes. Enter is not an answer: it may have been meant for something else."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "answer(True)"),
        Binding("n,escape,q", "answer(False)"),
    ]

    def __init__(self, text: str) -> None:
        super().__init__(f"{text}\n\ny yes    n no")

    def action_answer(self, yes: bool) -> None:
        self.dismiss(yes)


class Help(Box):
    """The keyboard shortcuts."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,question_mark,enter,space", "close")]

    def __init__(self) -> None:
        super().__init__(HELP)

    def action_close(self) -> None:
        self.dismiss()
