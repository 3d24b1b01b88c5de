"""Which way to start a CLI is found, whatever flags a version knows."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from claudegwd.openai_api.errors import CliError
from claudegwd.translate.request.catalogue import Initialized
from claudegwd.workers.cli.catalogue_probe import CliEndedError, Found
from claudegwd.workers.cli.known_cli import KnownCli, learn
from claudegwd.workers.process.process import Launch

VERSION = "2.1.330"


def bare(known: KnownCli) -> Launch:
    """As with upstream keys."""
    line = ["claude", *(["--log"] if known.client_log else []), *(["--whole"] if known.whole else [])]
    return Launch(line, {}, Path("/"), warms_up=True, whole=known.whole, goes_back=known.goes_back)


def plain(known: KnownCli) -> Launch:
    """As with a login: whole requests are never asked for."""
    line = ["claude", *(["--log"] if known.client_log else [])]
    return Launch(line, {}, Path("/"), warms_up=False, whole=False, goes_back=known.goes_back)


class Cli:
    """Ends at flags that it does not know. `unable`: among those that it knows, what it does not do."""

    def __init__(self, *knows: str, unable: tuple[str, ...] = (), version: str = VERSION) -> None:
        self.knows = knows
        self.unable = unable
        self.version = version
        self.asked: list[list[str]] = []

    async def ask(self, launch: Launch) -> Found:
        assert launch.argv not in self.asked, "what has failed is not tried again"
        self.asked.append(launch.argv)
        if not set(launch.argv[1:]) <= set(self.knows):
            raise CliEndedError("cannot start the Claude Code CLI: it ended")
        able = "--whole" not in self.unable if launch.whole else "back" not in self.unable
        return Found(Initialized(claude_code_version=self.version), able)


@pytest.mark.parametrize(
    ("cli", "launch", "client_log", "whole", "goes_back"),
    [
        (Cli("--log", "--whole"), bare, True, True, True),
        (Cli("--whole"), bare, False, True, True),
        (Cli("--log"), bare, True, False, True),
        (Cli(), bare, False, False, True),
        (Cli("--log", "--whole", unable=("--whole",)), bare, True, False, True),
        (Cli("--whole", unable=("--whole",)), bare, False, False, True),
        (Cli("--log", "--whole", unable=("--whole", "back")), bare, True, False, False),
        (Cli("--log"), plain, True, True, True),
        (Cli("--log", unable=("back",)), plain, True, True, False),
        (Cli(), plain, False, True, True),
    ],
)
async def test_the_best_way_that_works(
    cli: Cli, launch: Callable[[KnownCli], Launch], client_log: bool, whole: bool, goes_back: bool
) -> None:
    known = await learn(KnownCli(Path("/claude")), launch, cli.ask)
    assert (known.client_log, known.whole, known.goes_back) == (client_log, whole, goes_back)
    assert (known.binary, known.version) == (Path("/claude"), VERSION)


@pytest.mark.parametrize(("launch", "ways"), [(bare, 4), (plain, 2)])
async def test_one_that_never_starts(
    launch: Callable[[KnownCli], Launch], ways: int, caplog: pytest.LogCaptureFixture
) -> None:
    cli = Cli()

    async def ended(way: Launch) -> Found:
        with suppress(CliEndedError):
            await cli.ask(way)
        raise CliEndedError("cannot start the Claude Code CLI: it ended")

    with pytest.raises(CliEndedError):
        await learn(KnownCli(Path("/claude")), launch, ended)
    assert len(cli.asked) == ways
    assert not caplog.records  # nothing is known of what it cannot do


@pytest.mark.parametrize(("version", "named"), [("2.1.315", "2.1.315"), ("1.99.999", "1.99.999"), ("", "unknown")])
async def test_one_that_is_too_old(version: str, named: str) -> None:
    with pytest.raises(CliError, match=f"cannot use Claude Code CLI .*{named}"):
        await learn(KnownCli(Path("/claude")), bare, Cli("--log", "--whole", version=version).ask)
