"""A table on the screen: a fixed head, and rows of which one is chosen. Only lines that have changed are redrawn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Final

from rich.segment import Segment
from rich.style import Style
from textual.binding import Binding, BindingType
from textual.events import Resize
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

_HEAD: Final = Style(bold=True, underline=True)
_CHOSEN: Final = Style(reverse=True)
_CHOSEN_ELSEWHERE: Final = Style(bold=True, underline=True)


class Rows(Widget, can_focus=True):
    """Pass the lines to `show`. The chosen row is identified by its name, and stays chosen when rows come and go."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)"),
        Binding("down,j", "move(1)"),
        Binding("pageup", "page(-1)"),
        Binding("pagedown", "page(1)"),
        Binding("home", "move(-100000)"),
        Binding("end", "move(100000)"),
    ]

    class Resized(Message):
        """The size has changed: the lines have to be made again."""

    def __init__(self, ident: str, *, always_marked: bool = False) -> None:
        """`always_marked`: the chosen row is marked even while another table has the focus."""
        super().__init__(id=ident)
        self._elsewhere = _CHOSEN_ELSEWHERE if always_marked else Style.null()
        self._names: list[str] = []
        self._lines: list[tuple[str, Style]] = []  # the head first
        self._chosen = 0
        self._top = 0
        self._drawn: list[tuple[str, Style]] = []

    @property
    def chosen(self) -> str | None:
        """The name of the chosen row."""
        return self._names[self._chosen] if self._chosen < len(self._names) else None

    def show(self, lines: Sequence[str], names: Sequence[str], styles: Sequence[str]) -> None:
        """Show a head and rows, each row with its name and the style of its text."""
        chosen = self.chosen
        self._names = list(names)
        parsed = [_HEAD, *map(Style.parse, styles)]
        self._lines = list(zip(lines, parsed, strict=True))
        # Requests may have the same id, which is the client's choice: then the second one stays chosen, too.
        if chosen in self._names and self.chosen != chosen:
            self._chosen = self._names.index(chosen)
        self._settle()

    def action_move(self, by: int) -> None:
        self._chosen += by
        self._settle()

    def action_page(self, by: int) -> None:
        self.action_move(by * max(1, self.size.height - 2))

    def on_resize(self, _: Resize) -> None:
        self.refresh()  # all of it: what has been drawn is for the old size
        self.post_message(self.Resized())

    def on_focus(self) -> None:
        self._settle()

    def on_blur(self) -> None:
        self._settle()

    def render_line(self, y: int) -> Strip:
        text, style = self._drawn[y] if y < len(self._drawn) else ("", Style.null())
        line = Strip([Segment(text, self.rich_style + style)])
        return line.adjust_cell_length(self.size.width, self.rich_style)

    def _settle(self) -> None:
        """Keep the chosen row in range and in view, and redraw the lines that have changed."""
        height = self.size.height
        self._chosen = max(0, min(self._chosen, len(self._names) - 1))
        room = max(1, height - 1)
        self._top = max(0, min(self._top, self._chosen, len(self._names) - room), self._chosen - room + 1)
        wanted = self._in_sight(room)
        for y in range(height):
            before = self._drawn[y] if y < len(self._drawn) else None
            if before != (wanted[y] if y < len(wanted) else None):
                self.refresh(Region(0, y, self.size.width, 1))
        self._drawn = wanted

    def _in_sight(self, room: int) -> list[tuple[str, Style]]:
        found = self._lines[:1]
        mark = _CHOSEN if self.has_focus else self._elsewhere
        for place in range(self._top, min(self._top + room, len(self._names))):
            text, style = self._lines[place + 1]
            found.append((text, style + mark if place == self._chosen else style))
        return found
