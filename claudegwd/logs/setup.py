"""Where the log goes: stderr in one of four formats, and the ring. One handler creates each entry once for both."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final, TextIO

from claudegwd.config.schema import LogConfig
from claudegwd.logs.entry import LogEntry, entry_of, number_of
from claudegwd.logs.event import log
from claudegwd.logs.formats import console_line, journal_datagram, json_line, prefixed_line
from claudegwd.logs.journal import Journal, is_our_stderr
from claudegwd.logs.ring import LogRing
from claudegwd.logs.stderr import Stderr
from claudegwd.redact import redact

# Libraries' messages below warnings are of no use to operators.
LIBRARY_LEVEL: Final = logging.WARNING


class LogHandler(logging.Handler):
    """Writes every record to `stream` (or the journal) and to `ring`.

    Counts in `lost` what neither the journal nor stderr took; logging itself never raises.
    """

    def __init__(self, ring: LogRing, stream: TextIO, env: Mapping[str, str], journal: Callable[[], Journal]) -> None:
        super().__init__()
        self.ring = ring
        self.lost = 0
        self._told = 0  # of `lost`
        self._stream = stream
        self._stderr = Stderr(stream)
        self._env = env
        self._open_journal = journal
        self._journal: Journal | None = None
        self._form: Callable[[LogEntry], str] = console_line

    def configure(self, config: LogConfig) -> None:
        """Take the level and the format; safe at any time, so a reload needs no restart."""
        log.setLevel(number_of(config.level))
        by_journal = config.format == "journal" or (config.format == "auto" and self._on_journal_stream())
        self.acquire()
        try:
            if by_journal and self._journal is None:
                self._journal = self._open_journal()
            elif not by_journal and self._journal is not None:
                self._journal.close()
                self._journal = None
            self._form = self._line_form(config.format, by_journal=by_journal)
        finally:
            self.release()

    def emit(self, record: logging.LogRecord) -> None:
        try:
            entry = entry_of(record, redact)
            self.ring.append(entry)
            if self._journal is not None and self._journal.send(journal_datagram(entry, os.getpid())):
                return
            if self.lost > self._told:
                self._tell_lost()
            self._stderr.write(self._form(entry) + "\n")
        except (OSError, ValueError):
            # stderr is closed, its disk is full, or its reader does not read: there is nowhere to report it.
            self.lost += 1

    def _tell_lost(self) -> None:
        text = "log lines were lost: whatever reads this log was blocked, or its disk was full"
        record = log.makeRecord(log.name, logging.WARNING, __file__, 0, text, (), None, extra={})
        entry = replace(entry_of(record, redact), fields={"count": self.lost - self._told})
        self._stderr.write(self._form(entry) + "\n")
        self._told = self.lost

    def _on_journal_stream(self) -> bool:
        try:
            return is_our_stderr(self._env, self._stream.fileno())
        except (OSError, ValueError):
            return False

    def _line_form(self, name: str, *, by_journal: bool) -> Callable[[LogEntry], str]:
        if name == "json":
            return json_line
        if by_journal:
            # Only for what the native protocol did not take.
            return prefixed_line
        if self._stream.isatty() and not self._env.get("NO_COLOR"):
            return lambda entry: console_line(entry, colour=True)
        return console_line


def setup(
    config: LogConfig,
    env: Mapping[str, str],
    ring: LogRing,
    *,
    stream: TextIO | None = None,
    journal: Callable[[], Journal] = Journal,
) -> LogHandler:
    """Send all logging of this process to stderr and `ring`. Call it once, and later `configure` of what it returns.

    The root logger gets the only handler, so nothing is written twice and no library bypasses the redaction.
    """
    handler = LogHandler(ring, stream if stream is not None else sys.stderr, env, journal)
    handler.configure(config)
    root = logging.getLogger()
    for other in list(root.handlers):
        root.removeHandler(other)
    root.addHandler(handler)
    root.setLevel(LIBRARY_LEVEL)
    logging.captureWarnings(capture=True)
    return handler
