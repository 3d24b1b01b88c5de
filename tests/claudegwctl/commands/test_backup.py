from __future__ import annotations

from pathlib import Path

from tests.control_cli import ctl
from tests.small_gateway import TOKENS, SmallGateway


async def test_backing_up_while_it_runs(gateway: SmallGateway, socket: Path, tmp_path: Path) -> None:
    done = await ctl(socket, "backup", str(tmp_path / "b.tar"), STATE_DIRECTORY=str(tmp_path / "none"))
    assert done.out == f"wrote {tmp_path / 'b.tar'}: config.toml, keys.json\n"
    assert TOKENS[0].encode() in (tmp_path / "b.tar").read_bytes()
    done = await ctl(socket, "restore", str(tmp_path / "b.tar"))
    assert (done.status, done.err[:21]) == (1, "cannot restore while ")


async def test_tokens_are_not_written_to_the_terminal(socket: Path) -> None:
    assert (await ctl(socket, "backup", "-")).err.startswith("cannot write a backup to standard output")
