"""What is known about the Claude Code CLI in use: its path, how it can be started, what it offers.

This is learned from a dedicated process before the first request: versions differ in the flags that they support.
"""

import logging
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from claudegwd import contract
from claudegwd.logs import event as log_event
from claudegwd.logs import log
from claudegwd.openai_api.errors import CliError
from claudegwd.translate.request.catalogue import Initialized
from claudegwd.workers.cli.catalogue_probe import CliEndedError, Found
from claudegwd.workers.process.process import Launch

WITHOUT_LOG: Final = "keys.cooldown_seconds applies after a rate limit, and the retry block is set later"


@dataclass(frozen=True, slots=True)
class KnownCli:
    """`client_log`: it can output its client library's log. `whole`: it takes requests whole. `goes_back`: it can cut
    its transcript. Until it has been asked, the best is assumed."""

    binary: Path
    client_log: bool = True
    whole: bool = True
    goes_back: bool = True
    initialized: Initialized = field(default_factory=Initialized)

    @property
    def version(self) -> str:
        """As the CLI reported it; "" until then."""
        return self.initialized.claude_code_version

    def without_client_log(self) -> "KnownCli":
        """A CLI that exits at once may be a later version that no longer knows the flags for that log. Answering does
        not need it."""
        return _told(self, replace(self, client_log=False))

    def lesser(self) -> Iterator["KnownCli"]:
        """The other ways to start it, best first."""
        for whole in dict.fromkeys((self.whole, False)):
            for client_log in (True, False):
                yield replace(self, client_log=client_log, whole=whole)


async def learn(
    known: KnownCli, launch: Callable[[KnownCli], Launch], ask: Callable[[Launch], Awaitable[Found]]
) -> KnownCli:
    """Try the ways to start it, best first. `ask` asks one process. Raises CliError, also if the CLI is too old."""
    best, tried = known, []
    while True:
        way = launch(known)
        tried.append(way.argv)
        try:
            found = await ask(way)
        except CliEndedError:
            lesser = next((each for each in best.lesser() if launch(each).argv not in tried), None)
            if lesser is None:
                raise
            known = lesser
            continue
        if way.whole and not found.able:
            known = replace(known, whole=False)
            continue
        refuse_old(found.initialized.claude_code_version)
        return _told(best, replace(known, goes_back=way.whole or found.able, initialized=found.initialized))


def _told(best: KnownCli, found: KnownCli) -> KnownCli:
    """`found`, once it has been logged what it cannot do."""
    if best.client_log and not found.client_log:
        log_event(log, logging.WARNING, f"this CLI does not log its requests: {WITHOUT_LOG}")
    if best.whole and not found.whole:
        log_event(log, logging.WARNING, "this CLI does not accept whole requests: conversations are replayed instead")
    return found


def refuse_old(found: str) -> None:
    """Raises CliError for a CLI older than the oldest we support."""
    numbers = tuple(int(part) for part in found.split(".")[:3] if part.isdigit())
    if numbers < contract.OLDEST_CLI:
        oldest = ".".join(map(str, contract.OLDEST_CLI))
        raise CliError(
            f"cannot use Claude Code CLI {found or 'of unknown version'}: {oldest} or later is required; "
            f"{contract.HOW_TO_GET_CLI}"
        )
