"""Questions that do not fit on the screen. All others: tests/e2e/test_top.py."""

from __future__ import annotations

import asyncio

from textual.app import App
from textual.pilot import Pilot

from claudegwctl.watching.dialogues import QuestionScreen

LINES = 50


class Asking(App[None]):
    """Asks a long question, and notes the answer."""

    said: bool | None = None

    def on_mount(self) -> None:
        def answered(yes: bool | None) -> None:
            self.said = yes

        self.push_screen(QuestionScreen("\n".join(f"line {number}." for number in range(LINES))), answered)


def screen_of(app: Asking) -> str:
    return "\n".join(strip.text for strip in app.screen._compositor.render_strips())


async def press(pilot: Pilot[None], key: str) -> None:
    await pilot.press(key)
    await pilot.pause()


def test_a_yes_counts_once_all_of_the_question_was_on_the_screen() -> None:
    async def ask() -> None:
        app = Asking()
        async with app.run_test(size=(60, 24)) as pilot:
            await pilot.pause()
            assert "page down: more    y yes    n no" in screen_of(app)
            for _ in range(2):
                assert f"line {LINES - 1}." not in screen_of(app)
                await press(pilot, "y")
                assert app.said is None
            assert f"line {LINES - 1}." in screen_of(app)
            assert "page down" not in screen_of(app)
            await press(pilot, "y")
            assert app.said is True

    asyncio.run(ask())


def test_a_no_counts_at_once() -> None:
    async def ask() -> None:
        app = Asking()
        async with app.run_test(size=(60, 24)) as pilot:
            await pilot.pause()
            await press(pilot, "n")
            assert app.said is False

    asyncio.run(ask())


def test_control_c_quits_without_an_answer() -> None:
    async def ask() -> None:
        app = Asking()
        async with app.run_test(size=(60, 24)) as pilot:
            await pilot.pause()
            await press(pilot, "ctrl+c")
            assert not app.is_running
            assert app.said is None

    asyncio.run(ask())
