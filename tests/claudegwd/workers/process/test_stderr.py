"""What a process writes to stderr: read as it comes, or before something else happens."""

from pathlib import Path

import pytest
import trio

from claudegwd.claude_cli.client_log import Rejection
from claudegwd.workers.process.stderr import LAST_WORDS_CHARACTERS
from tests.claudegwd.workers.process.child import running


async def test_a_flood_on_stderr_holds_nothing_up(tmp_path: Path) -> None:
    script = "import sys\nfor _ in range(5000): sys.stderr.write('noise ' * 50 + '\\n')\nprint('done', flush=True)"
    async with running(script, tmp_path) as child:
        assert await child.line(1) == b"done"


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
