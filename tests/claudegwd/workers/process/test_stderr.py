"""What a process writes to stderr: read as it comes, or before something else happens."""

from pathlib import Path

import pytest
import trio

from claudegwd.claude_cli.client_log import Rejection
from claudegwd.workers.process.pipes import read_some
from claudegwd.workers.process.stderr import LAST_WORDS_CHARACTERS
from tests.claudegwd.workers.process.child import running


@pytest.mark.parametrize("whole", [False, True])
async def test_a_flood_on_stderr_holds_nothing_up(tmp_path: Path, *, whole: bool) -> None:
    script = "import sys\nfor _ in range(5000): sys.stderr.write('noise ' * 50 + '\\n')\nprint('done', flush=True)"
    async with running(script, tmp_path, whole=whole) as child:
        assert await child.line(1) == b"done"


PIECES = """import sys, time
for number in range(20):
    sys.stderr.write(f"[Anthropic SDK INFO] [log_1] piece {number}\\n")
    time.sleep(0.01)
print("logged", flush=True)
sys.stdin.readline()
"""


async def test_a_log_that_nothing_waits_for_is_read_in_few_pieces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes 0.2 s to write: two or three looks 0.1 s apart, where each piece would be a look of its own."""
    looks = 0

    async def counted(pipe: trio.abc.ReceiveStream, most: int) -> bytes:
        nonlocal looks
        data = await read_some(pipe, most)
        looks += 1
        return data

    monkeypatch.setattr("claudegwd.workers.process.stderr.read_some", counted)
    async with running(PIECES, tmp_path, whole=True) as child:
        heard: list[None] = []
        child.process.stderr.on_upstream = lambda: heard.append(None)
        assert await child.line(1) == b"logged"
        assert looks < 10
        child.process.stderr.hear()
        assert len(heard) == 20


LOGS = """import sys
for line in ("sending request {", "  stream: true,", "}"):
    sys.stderr.write(line.replace("sending", "[Anthropic SDK DEBUG] [log_1] sending") + "\\n")
sys.stderr.flush()
print("sent", flush=True)
sys.stdin.readline()
sys.stderr.write('[Anthropic SDK DEBUG] [log_1] response error (error) {\\n  status: 404,\\n}\\n')
sys.stderr.flush()
print("answered", flush=True)
sys.stdin.readline()
"""


async def test_what_its_log_says_is_known_when_its_line_is_read(tmp_path: Path) -> None:
    """In whatever order the two pipes are looked at."""
    async with running(LOGS, tmp_path) as child:
        told: list[object] = []
        child.process.stderr.on_rejected = told.append
        child.process.stderr.on_sent = lambda: told.append("sent")
        assert await child.line(1) == b"sent"
        child.process.stderr.hear()
        assert told == ["sent"]
        child.process.send(b"\n")
        assert await child.line(2) == b"answered"
        child.process.stderr.hear()
    assert told == ["sent", Rejection(404, is_json=False)]


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("sys.stderr.write('one\\n\\ntwo sk-false-secret-0001\\nno end')", "one / two [redacted] / no end"),
        ("sys.stderr.write('line\\n' * 1000 + 'last\\n')", "line / line / line / last"),
        ("sys.stderr.write('x' * 100_000)", "x" * LAST_WORDS_CHARACTERS),
        ("sys.stderr.write('about a question\\n'); print('an event', flush=True)", ""),
        ("print('an event', flush=True); sys.stderr.write('about a question\\n')", ""),
        ("pass", ""),
    ],
)
async def test_one_that_ends_before_its_first_event_has_last_words(tmp_path: Path, script: str, words: str) -> None:
    async with running(f"import sys; {script}", tmp_path) as child:
        with trio.fail_after(20):
            await child.ended.wait()
    assert child.process.stderr.last_words == words
