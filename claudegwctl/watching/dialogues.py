"""The dialogs over the tables: a question before something is changed, and the help."""

from __future__ import annotations

from typing import ClassVar, Final

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
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
    """`below` stays visible, at the lower border; a text that does not fit is scrolled."""

    DEFAULT_CSS = """
    Box { align: center middle; background: transparent; }
    Box > VerticalScroll { width: auto; min-width: 38; max-width: 100%; height: auto; max-height: 100%;
                           border: round ansi_default; border-subtitle-align: left;
                           background: ansi_default;
                           padding: 0 1; }
    Box Static { width: auto; max-width: 100%; height: auto; }
    """
    # A modal screen hides the application's own bindings.
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+c", "app.quit"),
        Binding("ctrl+z", "app.suspend_process"),
    ]

    def __init__(self, text: str, below: str = "") -> None:
        super().__init__()
        self._text, self._below = text, below

    def compose(self) -> ComposeResult:
        with VerticalScroll() as box:
            yield Static(self._text, markup=False)
        box.border_subtitle = self._below

    def on_mount(self) -> None:
        box = self.query_one(VerticalScroll)
        box.focus()
        self.watch(box, "scroll_y", self._show_below)
        self.call_after_refresh(self._show_below)

    @property
    def has_more(self) -> bool:
        """Whether some of the text is still below the screen."""
        box = self.query_one(VerticalScroll)
        return box.scroll_target_y < box.max_scroll_y

    def _show_below(self) -> None:
        more = "page down: more    " if self.has_more else ""
        self.query_one(VerticalScroll).border_subtitle = more + self._below


class QuestionScreen(Box):
    """Returns whether the answer was yes. Enter is not an answer: it may have been meant for something else. Neither is
    `y` before the end of the question has been on the screen: it shows more of it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "answer(True)"),
        Binding("n,escape,q", "answer(False)"),
    ]

    def __init__(self, text: str) -> None:
        super().__init__(text, "y yes    n no")

    def action_answer(self, yes: bool) -> None:
        if yes and self.has_more:
            self.query_one(VerticalScroll).scroll_page_down(animate=False)
        else:
            self.dismiss(yes)


class Help(Box):
    """The keyboard shortcuts."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,question_mark,enter,space", "close")]

    def __init__(self) -> None:
        super().__init__(HELP)

    def action_close(self) -> None:
        self.dismiss()
