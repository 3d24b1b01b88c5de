from __future__ import annotations

import httpx
import msgspec
import pytest

from claudegwd.config.schema import KeysConfig
from tests.small_gateway import TOKENS, SmallGateway


@pytest.mark.parametrize(("shell", "word"), [("bash", ". "), ("zsh", ". "), ("fish", "| source")])
async def test_lines_name_the_file(gateway: SmallGateway, client: httpx.AsyncClient, shell: str, word: str) -> None:
    gateway.config = msgspec.structs.replace(gateway.config, keys=KeysConfig(shell_files=("~/.bashrc",)))
    answer = await client.get("/v1/env", params={"shell": shell})
    assert str(gateway.directory / "env.sh") in answer.json()["lines"]
    assert word in answer.json()["lines"]
    assert not any(token in answer.text for token in TOKENS)


async def test_no_file_is_kept(client: httpx.AsyncClient) -> None:
    answer = await client.get("/v1/env")
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "not_available")


async def test_another_shell(client: httpx.AsyncClient) -> None:
    assert (await client.get("/v1/env?shell=cmd")).status_code == 400
