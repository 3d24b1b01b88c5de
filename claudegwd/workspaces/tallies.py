"""A test runner's counts, read from the end of its output: numbers, and words of ours."""

import re
from collections import Counter
from collections.abc import Iterator
from typing import Final, NamedTuple

# The summary is at the end of the output; go lists its failed tests before it, a line each.
MAX_LINES: Final = 200
MAX_LINE: Final = 300
MAX_TEXT: Final = 20_000

_COLOURS: Final = re.compile(r"\x1b\[[0-9;]*m")
_NUMBER_FIRST: Final = re.compile(r"(?<!\d)(?P<number>\d{1,7}) (?P<word>[a-z]+)")
_WORD_FIRST: Final = re.compile(r"(?<!expected )(?P<word>[A-Za-z]+)(?:: *|=| )(?P<number>\d{1,7})(?!\d)")
_TESTS_FAILED: Final = re.compile(r"(?<!\d)(?P<number>\d{1,7}) tests? (?P<word>failed)")
# In display order. "total" is only used to compute others.
_SHOWN: Final = ("failed", "errors", "passed", "skipped", "packages failed", "packages passed")
_MEANING: Final = {
    **dict.fromkeys(("failed", "failures", "failure", "failing", "fail"), "failed"),
    **dict.fromkeys(("errors", "error"), "errors"),
    **dict.fromkeys(("passed", "passing", "pass"), "passed"),
    **dict.fromkeys(("skipped", "skips", "skip", "ignored", "pending"), "skipped"),
    **dict.fromkeys(("total", "tests", "test", "run", "runs", "examples", "example"), "total"),
}


class _Summary(NamedTuple):
    """A runner's summary line: what matches it, and how to find its numbers; or what one such line counts as."""

    runner: str
    line: re.Pattern[str]
    counts: re.Pattern[str] | str


def _row(runner: str, line: str, counts: re.Pattern[str] | str = _NUMBER_FIRST) -> _Summary:
    return _Summary(runner, re.compile(line), counts)


_PYTEST: Final = r"\d+ (?:failed|passed|skipped|deselected|xfailed|xpassed|warnings?|errors?|rerun)"
_SUMMARIES: Final = (
    _row("pytest", rf"=* ?{_PYTEST}(?:, {_PYTEST})* in [\d.]+s(?: \([\d:]+\))? ?=*"),
    _row("unittest", r"Ran \d+ tests? in [\d.]+s"),
    _row("unittest", r"(?:FAILED|OK) \([a-z ]+=\d+(?:, [a-z ]+=\d+)*\)", _WORD_FIRST),
    _row(
        "cargo",
        r"test result: (?:ok|FAILED)\. \d+ passed; \d+ failed; \d+ ignored; \d+ measured; \d+ filtered out"
        r"(?:; finished in [\d.]+s)?",
    ),
    _row("nextest", r"Summary \[ *[\d.]+s\] +\d+ tests? run: \d+ passed(?: \([^)]*\))?(?:, \d+ [a-z ]+)*"),
    _row("go", r"--- FAIL: [^/\s]+ \([\d.]+s\)", "failed"),
    _row("go", r"--- PASS: [^/\s]+ \([\d.]+s\)", "passed"),
    _row("go", r"FAIL\s+\S+\s+(?:[\d.]+s|\[build failed\])", "packages failed"),
    _row("go", r"ok\s+\S+\s+(?:[\d.]+s|\(cached\))(?:\s.*)?", "packages passed"),
    _row("jest", r"Tests: +\d+ [a-z]+(?:, \d+ [a-z]+)*"),
    _row("vitest", r"Tests +\d+ [a-z]+(?: \| \d+ [a-z]+)* \(\d+\)"),
    _row("mocha", r"\d+ (?:passing|failing|pending)(?: \(\d+\w+\))?"),
    _row("node", r"[#ℹ] (?:pass|fail|skipped) \d+", _WORD_FIRST),
    _row("bun", r"\d+ (?:pass|fail|skip)"),
    _row("deno", r"(?:ok|FAILED) \| \d+ passed(?: \(\d+ steps?\))? \| \d+ failed(?: \| \d+ ignored)? \([\w. ]+\)"),
    _row("phpunit", r"OK \(\d+ tests?, \d+ assertions?\)"),
    _row("phpunit", r"Tests: \d+, Assertions: \d+(?:, [A-Z][A-Za-z ]+: \d+)*\.", _WORD_FIRST),
    _row("rspec", r"\d+ examples?, \d+ failures?(?:, \d+ pending)?"),
    _row("minitest", r"\d+ (?:runs|tests), \d+ assertions, \d+ failures, \d+ errors, \d+ skips"),
    _row("maven", r"(?:\[\w+\] +)?Tests run: \d+, Failures: \d+, Errors: \d+, Skipped: \d+", _WORD_FIRST),
    _row("gradle", r"\d+ tests? completed, \d+ failed(?:, \d+ skipped)?"),
    _row("dotnet", r"(?:Passed|Failed)! +- Failed: +\d+, Passed: +\d+, Skipped: +\d+, Total: +\d+.*", _WORD_FIRST),
    _row("ctest", r"\d+% tests passed, \d+ tests? failed out of \d+", _TESTS_FAILED),
)


def tally(text: str) -> str:
    """Such as "3 failed, 12 passed"; "" if no known runner printed its summary. The last one counts."""
    found: dict[str, Counter[str]] = {}
    last = ""
    for line in _COLOURS.sub("", text[-MAX_TEXT:]).splitlines()[-MAX_LINES:]:
        stripped = line.strip()
        for summary in _SUMMARIES if len(stripped) <= MAX_LINE else ():
            if summary.line.fullmatch(stripped):
                last = summary.runner
                found.setdefault(last, Counter()).update(_counted(stripped, summary.counts))
    return ", ".join(_shown(found[last])) if last else ""


def _counted(line: str, counts: re.Pattern[str] | str) -> Counter[str]:
    if isinstance(counts, str):
        return Counter({counts: 1})
    counted = Counter[str]()
    for each in counts.finditer(line):
        counted[_MEANING.get(each["word"].lower(), "")] += int(each["number"])
    return counted


def _shown(counted: Counter[str]) -> Iterator[str]:
    if not counted["passed"]:  # some runners print only the total
        counted["passed"] = counted["total"] - counted["failed"] - counted["errors"] - counted["skipped"]
    for what in _SHOWN:
        if counted[what] > 0:
            number, noun = counted[what], what.replace("packages", "package") if counted[what] == 1 else what
            yield f"{number} {noun.removesuffix('s') if number == 1 and what == 'errors' else noun}"
