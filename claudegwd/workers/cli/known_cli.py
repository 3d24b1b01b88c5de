"""What is known about the Claude Code CLI in use: its path, how it can be started, what it offers.

This is learned from a dedicated process before the first request: versions differ in the flags that they support.
"""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from claudegwd import contract
from claudegwd.logs import event as log_event
from claudegwd.logs import log
from claudegwd.openai_api.errors import CliError
from claudegwd.translate.request.catalogue import Initialized
from claudegwd.workers.cli.catalogue_probe import CliEndedError, Found
from claudegwd.workers.process.process import Launch


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
        log_event(log, logging.WARNING, "the CLI no longer logs its requests: keys.cooldown_seconds is used at a limit")
        return replace(self, client_log=False)

    def without_whole(self) -> "KnownCli":
        log_event(log, logging.WARNING, "this CLI does not accept whole requests: conversations are replayed instead")
        return replace(self, client_log=True, whole=False)

    def lesser(self) -> "KnownCli | None":
        """The next way to start it after it exited; None if there is none."""
        if self.client_log:
            return self.without_client_log()
        return self.without_whole() if self.whole else None


async def learn(
    known: KnownCli, launch: Callable[[KnownCli], Launch], ask: Callable[[Launch], Awaitable[Found]]
) -> KnownCli:
    """Try the ways to start it, best first. `ask` asks one process. Raises CliError, also if the CLI is too old."""
    while True:
        way = launch(known)
        try:
            found = await ask(way)
        except CliEndedError:
            lesser = known.lesser()
            if lesser is None or launch(lesser).argv == way.argv:
                raise
            known = lesser
            continue
        if way.whole and not found.able:
            known = replace(known.without_whole(), client_log=known.client_log)
            continue
        refuse_old(found.initialized.claude_code_version)
        return replace(known, goes_back=way.whole or found.able, initialized=found.initialized)


def refuse_old(found: str) -> None:
    """Raises CliError for a CLI older than the oldest we support."""
    numbers = tuple(int(part) for part in found.split(".")[:3] if part.isdigit())
    if numbers < contract.OLDEST_CLI:
        oldest = ".".join(map(str, contract.OLDEST_CLI))
        raise CliError(
            f"cannot use Claude Code CLI {found or 'of unknown version'}: {oldest} or later is required; "
            f"{contract.HOW_TO_GET_CLI}"
        )
