"""The dashboard in a real Chromium: watched, used, and attacked from within. `chromium` is Debian's package."""

from __future__ import annotations

import json
import os
import signal
import struct
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest
import trio

from claudegwd.demo.script import Answer, RecordedRequest, ScriptedReply, ScriptedUsage, Text, Wait
from tests.chromium import Page, chromium, find_chromium, new_page
from tests.dashboard_process import dashboard
from tests.e2e.daemon_process import Daemon
from tests.e2e.harness import Running, running

pytestmark = [
    pytest.mark.cli,
    pytest.mark.skipif(find_chromium() is None, reason="Chromium is not installed: `apt-get install chromium`"),
]

KEYS = [{"name": "first", "token": "sk-false-good-key-0001"}, {"name": "second", "token": "sk-false-good-key-0002"}]
SHARED = {"keys": KEYS}

# What reaches beyond the page's right edge.
OVERHANGING = """
[...document.querySelectorAll("section, td, tbody th, svg, button, select, input")]
  .filter((element) => element.checkVisibility() && element.getBoundingClientRect().right > innerWidth)
  .map((element) => element.outerHTML.slice(0, 100))
"""
READY = "document.querySelector('#badge')?.textContent === 'ready'"
# Names of everything that a person can use or read as a unit, as a screen reader is told them.
NAMED = {"button", "combobox", "textbox", "searchbox", "checkbox", "table", "image", "link", "log", "region", "search"}


# Adds an element to the page.
PUT = "window.put = (name, more) => document.body.append(Object.assign(document.createElement(name), more))"
# What somebody who has found a hole in the page would do, and what the browser refuses it by.
ATTEMPTS = (
    ("put('script', { src: 'ELSEWHERE/x.js' })", "require-trusted-types-for"),
    ("put('script', { textContent: 'window.ran = 1' })", "require-trusted-types-for"),
    ("document.body.setAttribute('onclick', 'window.ran = 1'); document.body.click()", "require-trusted-types-for"),
    ("document.body.insertAdjacentHTML('beforeend', '<b>x</b>')", "require-trusted-types-for"),
    ("setTimeout(() => eval('window.ran = 1'))", "require-trusted-types-for"),
    ("trustedTypes.createPolicy('mine', { createScript: text => text })", "trusted-types"),
    ("put('style', { textContent: 'body { color: red }' })", "style-src"),
    ("document.body.setAttribute('style', 'color: red')", "style-src"),
    ("put('link', { rel: 'stylesheet', href: 'ELSEWHERE/x.css' })", "style-src"),
    ("put('img', { src: 'ELSEWHERE/x.png' })", "img-src"),
    ("fetch('ELSEWHERE/health').catch(() => 0)", "connect-src"),
    ("put('iframe', { src: '/' })", "frame-src"),
    ("put('base', { href: 'ELSEWHERE/' })", "base-uri"),
    ("put('form', { action: 'ELSEWHERE/', id: 'f' }); document.querySelector('#f').submit()", "form-action"),
)


@pytest.fixture(scope="module")
def browser() -> Iterator[int]:
    with chromium() as port:
        yield port


@asynccontextmanager
async def looking(browser: int, gateway: Running, *options: str) -> AsyncIterator[Page]:
    """The page of a dashboard that has just been opened. At the end its console must be empty."""
    async with dashboard(gateway.daemon.socket, *options) as started, new_page(browser) as page:
        await page.size(1280, 900)
        await page.open(started.link)
        await page.until(READY)
        yield page
        assert page.problems == []


def text_of(selector: str) -> str:
    return f"(document.querySelector({json.dumps(selector)})?.innerText ?? '')"


async def test_a_request_is_watched_a_key_rotated_and_the_chart_changes(
    browser: int, gateway: Running, tmp_path: Path
) -> None:
    go = trio.Event()

    def script(_: RecordedRequest) -> Answer:
        return ScriptedReply((Text(("Hello", " there")), Wait(go), Text((".",))), usage=ScriptedUsage(1200, 340))

    gateway.endpoint.script = script
    async with looking(browser, gateway) as page, trio.open_nursery() as nursery:
        before = await page.until(text_of("#chart-text"))
        nursery.start_soon(gateway.stream, "What?")
        row = await page.until(
            "(() => { const row = document.querySelector('#requests-table tbody tr')?.innerText ?? ''; "
            "return row.includes('streaming') && row; })()"
        )
        assert "claude-sonnet-4" in row
        assert "first" in row
        assert "busy" in await page.text("#workers-table")
        small = await page.picture(tmp_path / "desktop.png")
        assert struct.unpack(">I", small[16:20]) == (1280,)

        await page.click('button[aria-label="Use key second for new conversations"]')
        await page.until("document.querySelector('#question').open")
        assert "Use key second for new conversations?" in await page.text("#question")
        await page.click("#question-yes")
        await page.until(f"{text_of('#said')} === 'now using second'")
        await page.until(
            "document.querySelector('#keys-table .state-active').parentElement.innerText.includes('second')"
        )
        assert (await gateway.keys())["second"]["state"] == "active"

        go.set()
        await page.until("document.querySelectorAll('#requests-table tbody tr').length === 0")
        await page.until(f"{text_of('#chart-text')} !== {json.dumps(before)}")
        total = (await gateway.control("GET", "/v1/usage?since=7d&by=day,client")).json()["total"]
        assert total["prompt_tokens"] >= 1200
        said = f"{total['requests']} requests ({total['errors']} failed), {total['prompt_tokens']:,} tokens in"
        await page.until(f"{text_of('#chart-text')}.includes({json.dumps(said)})")
        today = f"{total['prompt_tokens']:,} tokens in, {total['completion_tokens']:,} out"
        await page.until(f"{text_of('#facts')}.includes({json.dumps(today)})")
        assert await page.js("document.querySelectorAll('#chart-bars rect').length") > 0
        await page.choose("#usage-measure", "tokens")
        await page.until("document.querySelector('#chart-bars rect title').textContent.includes('1,540 tokens')")
        await page.choose("#usage-by", "model")
        await page.until(f"{text_of('#chart-legend')}.includes('claude-sonnet-4')")
        await page.choose("#usage-period", "day")
        await page.until("document.querySelectorAll('#usage-table thead th')[0].textContent === 'Hour'")

        # The log of that one request, by a click on its name.
        await page.until("document.querySelector('#log-lines button.plain')")
        await page.click("#log-lines button.plain")
        wanted = await page.until("document.querySelector('#log-request').value")
        await page.until(
            f"[...document.querySelectorAll('#log-lines li')].every(l => l.innerText.includes('{wanted}'))"
        )
        await page.choose("#log-text", "no line says this")
        await page.until(f"{text_of('#log-count')}.startsWith('0 lines')")


async def test_keys_are_disabled_after_a_question_and_by_the_keyboard(browser: int, gateway: Running) -> None:
    async with looking(browser, gateway) as page:
        selector = 'button[aria-label="Disable key second"]'
        await page.until(f"document.querySelector('{selector}')")
        # Cancel is what Enter presses first; Escape does the same.
        for key, code in (("Enter", 13), ("Escape", 27)):
            await page.js(f"document.querySelector('{selector}').focus()")
            await page.press("Enter", 13)
            await page.until("document.querySelector('#question').open && document.activeElement.id === 'question-no'")
            await page.press(key, code)
            await page.until("!document.querySelector('#question').open")
        assert (await gateway.keys())["second"]["state"] != "disabled"
        # Focus comes back to where it was; then on to the other button.
        await page.until(f"document.activeElement === document.querySelector('{selector}')")
        await page.press("Enter", 13)
        await page.until("document.querySelector('#question').open")
        await page.press("Tab", 9)
        await page.until("document.activeElement.id === 'question-yes'")
        await page.press("Enter", 13)
        await page.until(f"{text_of('#said')} === 'second is disabled'")
        assert (await gateway.keys())["second"]["state"] == "disabled"
        await page.until("document.querySelector('button[aria-label=\"Enable key second\"]')")
        # The same button, still with the focus.
        await page.press("Enter", 13)
        await page.until("document.querySelector('#question').open")
        await page.click("#question-yes")
        said = text_of("#said")
        await page.until(f"{said}.startsWith('second is ') && {said} !== 'second is disabled'")
        assert (await gateway.keys())["second"]["state"] in ("ready", "active")
        await page.click("#reload")
        await page.until(f"{text_of('#said')} === 'reloaded: nothing changed'")


async def test_the_end_of_one_question_is_no_answer_to_the_next(browser: int, gateway: Running) -> None:
    async with looking(browser, gateway) as page:
        selector = 'button[aria-label="Disable key second"]'
        await page.until(f"document.querySelector('{selector}')")
        # The browser reports the first one's end only when the second one is open already.
        await page.js(
            f"(() => {{ const ask = document.querySelector('{selector}'); ask.click(); "
            "document.querySelector('#question-no').click(); ask.click(); "
            "return new Promise((done) => setTimeout(done, 100)); })()"
        )
        assert (await gateway.keys())["second"]["state"] != "disabled"
        await page.click("#question-yes")
        await page.until(f"{text_of('#said')} === 'second is disabled'")
        await page.click('button[aria-label="Enable key second"]')
        await page.until("document.querySelector('#question').open")
        await page.click("#question-yes")
        await page.until(f"document.querySelector('{selector}')")


async def test_a_long_question_is_read_from_its_beginning(browser: int, gateway: Running) -> None:
    async with looking(browser, gateway) as page:
        row = {"id": "a", "workspace": "w", "directory": "/", "client": "", "shown": "\n".join(map(str, range(300)))}
        await page.js(f"void import('./actions.js').then(({{ decide }}) => decide({json.dumps(row)}, true))")
        await page.until("document.querySelector('#question').open && document.activeElement.id === 'question-no'")
        assert await page.js("document.querySelector('#question').scrollTop") == 0
        await page.press("Escape", 27)
        await page.until("!document.querySelector('#question').open")


async def test_what_is_wrong_is_said_and_goes_again(browser: int, gateway: Running) -> None:
    async with looking(browser, gateway) as page:
        await gateway.control("POST", "/v1/drain")
        await page.until(f"{text_of('#trouble')}.includes('`claudegwctl undrain` ends it')")
        assert await page.text("#badge") == "draining"
        await gateway.control("POST", "/v1/undrain")
        await page.until("!document.querySelector('#trouble').checkVisibility()")
        assert await page.text("#badge") == "ready"
        shared = {"away_since": 1, "place": "valkey://a", "problem": "gone"}
        status = {"shuts_out": "nobody may use it", "shared": shared}
        said = await page.js(f"import('./overview.js').then(({{ problem }}) => problem({json.dumps(status)}))")
        assert said.startswith("nobody may use it; valkey://a became unavailable at ")
        assert said.endswith(": gone")


async def test_the_link_works_from_a_page_elsewhere_and_only_once(
    browser: int, gateway: Running, tmp_path: Path
) -> None:
    # A strict cookie is kept back from what another page leads to: the file of a browser that we start is one.
    async with dashboard(gateway.daemon.socket) as started, new_page(browser) as first, new_page(browser) as second:
        page = tmp_path / "link.html"
        page.write_text(f'<!doctype html><a id="link" href="{started.link}">the link</a>')
        await first.open(page.as_uri())
        await first.until("document.querySelector('#link')")
        await first.click("#link")
        await first.until(READY)
        await first.call("Page.reload")
        await first.until(READY)
        await second.open(started.link)
        await second.until("document.body.innerText.includes('works once')")
        # Nor does the address of the page help where the cookie is not.
        await second.call("Page.navigate", url=await first.js("location.href"))
        await second.until("document.body.innerText.includes('works once')")


async def test_read_only_shows_no_way_to_change_anything(browser: int, gateway: Running) -> None:
    async with looking(browser, gateway, "--read-only") as page:
        await page.until("document.querySelectorAll('#keys-table tbody tr').length === 2")
        visible = "[...document.querySelectorAll('button')].filter(b => b.checkVisibility()).map(b => b.textContent)"
        names = await page.js(visible)
        assert not {"Use", "Disable", "Enable", "Reload configuration", "Use the next key"} & set(names)
        assert "read-only" in await page.text("header")


async def test_the_policy_holds_in_the_browser(browser: int, gateway: Running) -> None:
    async with dashboard(gateway.daemon.socket) as started, new_page(browser) as page:
        await page.open(started.link)
        await page.until(READY)
        await page.js(
            PUT + "; document.addEventListener('securitypolicyviolation', "
            "event => window.broken.push(event.effectiveDirective)); null"
        )
        for attempt, directive in ATTEMPTS:
            attempt = attempt.replace("ELSEWHERE", gateway.base_url)
            await page.js(f"window.broken = []; (() => {{ try {{ {attempt} }} catch {{}} }})()")
            await page.until(f"window.broken.some(name => name.startsWith('{directive}'))")
        assert await page.js("window.ran ?? null") is None
        # Neither the link nor the cookie can be read by a script.
        assert await page.js("document.cookie") == ""
        assert "token" not in await page.js("location.href")


async def test_a_page_elsewhere_cannot_use_the_cookie(browser: int, gateway: Running) -> None:
    async with dashboard(gateway.daemon.socket) as started, new_page(browser) as page:
        await page.open(started.link)
        await page.until(READY)
        place = await page.js("location.href")
        before = await gateway.keys()
        # The same browser, on a page of another port of this address: to a cookie that is the same site.
        await page.call("Page.navigate", url=f"{gateway.base_url}/health")
        await page.until(f"location.port === '{gateway.port}'")
        for options in ("{}", "{credentials: 'include'}", "{credentials: 'include', mode: 'no-cors'}"):
            asked = f"fetch('{place}api/state', {options}).then(a => a.type, () => 'failed')"
            assert await page.js(asked) in ("failed", "opaque")
        await page.js(
            f"fetch('{place}api/rotate', {{method: 'POST', credentials: 'include', mode: 'no-cors', body: '{{}}'}})"
            ".catch(() => 0).then(() => null)"
        )
        assert {name: key["state"] for name, key in (await gateway.keys()).items()} == {
            name: key["state"] for name, key in before.items()
        }


async def test_a_restart_of_the_daemon_is_waited_for(browser: int, daemon: Daemon, gateway: Running) -> None:
    async with dashboard(daemon.socket) as started, new_page(browser) as page:
        await page.open(started.link)
        await page.until(READY)
        await trio.to_thread.run_sync(daemon.kill)
        await page.until("document.querySelector('#trouble').innerText.includes('it is not running')")
        assert await page.text("#badge") == "no answer"
        await trio.to_thread.run_sync(daemon.start)
        await page.until(READY)
        await page.until(f"{text_of('#said')} === 'claudegwd is running again'")
        assert not await page.js("document.querySelector('#trouble').checkVisibility()")
        # And the dashboard itself, which cannot be waited for.
        await trio.to_thread.run_sync(started.end)
        await page.until("document.querySelector('#trouble').innerText.includes('start it again')")


async def test_whoever_hangs_is_reported_soon(browser: int, gateway: Running) -> None:
    async with dashboard(gateway.daemon.socket) as started, new_page(browser) as page:
        await page.open(started.link)
        await page.until(READY)
        for pid, said in (
            (gateway.pid, "cannot get an answer from claudegwd within 5 s"),
            (started.process.pid, "cannot get an answer from the dashboard within 10 s"),
        ):
            os.kill(pid, signal.SIGSTOP)
            try:
                await page.until(f"document.querySelector('#trouble').innerText.includes('{said}')")
                assert await page.text("#badge") == "no answer"
            finally:
                os.kill(pid, signal.SIGCONT)
            await page.until(READY)


async def test_a_phone_dark_and_light_and_a_screen_reader(browser: int, gateway: Running, tmp_path: Path) -> None:
    await gateway.control("POST", "/v1/clients", {"name": "a-client-with-a-rather-long-name", "budget": "20usd/month"})
    await gateway.ask("Hi!")
    async with looking(browser, gateway) as page:
        await page.until("document.querySelectorAll('#clients-table tbody tr').length === 1")
        for width in (360, 768, 1280):
            await page.size(width, 800)
            await page.until(f"innerWidth === {width}")
            await page.until("document.documentElement.scrollWidth <= innerWidth")
            # Nor is anything cut off by what it lies in.
            await page.until(f"({OVERHANGING}).length === 0")
        await page.size(360, 800)
        await page.picture(tmp_path / "phone.png")

        colour = "getComputedStyle(document.body).backgroundColor"
        seen = {}
        for scheme in ("light", "dark"):
            await page.scheme(scheme)
            seen[scheme] = await page.js(colour)
        assert seen["light"] != seen["dark"]
        for theme in ("light", "dark", "automatic"):
            await page.click("#theme")
            assert await page.text("#theme") == f"Theme: {theme}"
            assert await page.js(colour) == seen.get(theme, seen["dark"])

        nodes = (await page.call("Accessibility.getFullAXTree"))["nodes"]
        roles = {node["role"]["value"] for node in nodes if not node["ignored"]}
        assert {"button", "combobox", "searchbox", "checkbox", "table", "image", "log", "main", "alert"} - roles <= {
            "alert"
        }
        unnamed = [
            node["role"]["value"] for node in nodes
            if not node["ignored"] and node["role"]["value"].lower() in NAMED and not node["name"]["value"].strip()
        ]  # fmt: skip
        assert unnamed == []
        # Everything can be reached without a mouse.
        await page.js("document.activeElement.blur(); scrollTo(0, 0)")
        reached = set()
        for _ in range(60):
            await page.press("Tab", 9)
            reached.add(await page.js("document.activeElement.id || document.activeElement.textContent"))
        assert {"reload", "theme", "usage-period", "log-level", "log-text", "log-lines", "Use", "Disable"} <= reached


async def test_a_budget_of_millions_and_requests_of_one_id_are_shown(browser: int) -> None:
    held = trio.Event()
    async with running(lambda _: ScriptedReply((Text(("one ",)), Wait(held)))) as gateway:
        client = {
            "name": "a-client-with-a-rather-long-name", "budget": "2Mtokens/day, 1.5usd/week",
            "requests_per_minute": 10, "tokens_per_minute": 100_000, "models": ["sonnet", "haiku", "opus"],
        }  # fmt: skip
        assert (await gateway.control("POST", "/v1/clients", client)).is_success
        async with looking(browser, gateway) as page, trio.open_nursery() as nursery:
            await page.until(f"{text_of('#clients-table')}.includes('0 of 2M a day')")
            assert "$0.00 of $1.50 a week" in await page.text("#clients-table")
            # Short words stay whole beside long cells.
            lines = (
                "(() => { const range = document.createRange(), cell = document.querySelector('#clients-table "
                ".state-active'); range.selectNodeContents(cell); return range.getClientRects().length; })()"
            )
            assert await page.js(lines) == 1
            for model in ("sonnet", "haiku"):
                nursery.start_soon(partial(gateway.stream, "Hi.", model=model, extra_headers={"x-request-id": "same"}))
            rows = "[...document.querySelectorAll('#requests-table tbody tr')]"
            await page.until(f"{rows}.length === 2 && {rows}.every(row => row.innerText.includes('same'))")
            models = await page.js(f"{rows}.map(row => row.innerText.includes('haiku'))")
            assert sorted(models) == [False, True]
            held.set()


async def test_nothing_that_is_scrolled_to_lies_under_the_navigation(browser: int, gateway: Running) -> None:
    below = "document.querySelector('nav').getBoundingClientRect().bottom"
    async with looking(browser, gateway) as page:
        for width in (320, 360, 1280):
            await page.size(width, 600)
            await page.until(f"innerWidth === {width}")
            await page.click("nav a[href='#keys']")
            await page.until(f"Math.abs(document.querySelector('#keys').getBoundingClientRect().top - {below}) < 60")
            assert await page.js(f"document.querySelector('#keys').getBoundingClientRect().top >= {below}")


async def test_times_and_scales_say_what_they_are(browser: int, gateway: Running) -> None:
    async with looking(browser, gateway) as page:
        # A time without a date is today's, or tonight's.
        clock = "import('./format.js').then(({{ clock }}) => clock(Date.now() / 1000 {}))"
        for shift, dated in (("- 60", False), ("+ 3600", False), ("- 200000", True), ("+ 200000", True)):
            assert (len(await page.js(clock.format(shift))) > len("23:59")) is dated
        year = await page.js("new Date(Date.now() + 365 * 86400e3).getFullYear()")
        assert str(year) in await page.js(clock.format("+ 365 * 86400"))
        # There are no halves of requests.
        scale = (
            "import('./chart.js').then(({{ chart }}) => [...chart([{{ label: '', parts: [{{ value: {}, style: 's0', "
            "text: '' }}] }}], 400, {{ written: String, whole: true }}, '').querySelectorAll('text')]"
            ".slice(0, 5).map((text) => text.textContent))"
        )
        for value in (0, 1, 5, 9, 10, 11, 13, 99, 101):
            marks = [float(mark) for mark in await page.js(scale.format(value))]
            assert all(mark.is_integer() for mark in marks)
            assert marks[-1] >= value
