"""The comparison is fair: every way reads the same out of the same bytes, and writes the same."""

from __future__ import annotations

import json

import pytest

from tests.bench.json_libraries import BODY, CHUNK, JOBS, REQUEST, TEXT


@pytest.mark.parametrize("way", ["msgspec", "pydantic", "json, unchecked"])
def test_all_do_the_same(way: str) -> None:
    done = {name: jobs[way]() for name, jobs in JOBS.items()}
    assert done["a streamed event, read"] == TEXT
    assert json.loads(done["a streamed event, written"]) == CHUNK
    assert done["a request, read"] == len(json.loads(REQUEST)["messages"])
    assert json.loads(done["its answer, written"]) == BODY


def test_the_gateway_does_no_less() -> None:
    done = {name: jobs["the gateway"]() for name, jobs in JOBS.items()}
    assert bytes(done["a streamed event, read"].event.delta.text) == json.dumps(TEXT).encode()
    written = json.loads(done["a streamed event, written"].removeprefix(b"data: "))
    assert written["choices"][0]["delta"] == CHUNK["choices"][0]["delta"]  # type: ignore[index]
    assert len(done["a request, read"].messages) == len(json.loads(REQUEST)["messages"])
    assert json.loads(done["its answer, written"])["choices"][0]["message"]["content"].startswith("words ")
