from __future__ import annotations

from pathlib import Path

import pytest

from tests.control_cli import ctl


async def test_there_is_nothing_to_approve(socket: Path) -> None:
    done = await ctl(socket, "approve", "3f9a01c2")
    assert done.status == 1
    assert done.err.startswith("cannot find approval '3f9a01c2'")


@pytest.mark.parametrize("verb", ["approve", "deny"])
async def test_an_id_that_is_empty(socket: Path, verb: str) -> None:
    done = await ctl(socket, verb, "")
    assert (done.status, done.err) == (2, "cannot look that up: the name is empty\n")
