"""Each test leaves logging as it was."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from claudegwd.logs import log


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level, ours = list(root.handlers), root.level, log.level
    yield
    logging.captureWarnings(capture=False)
    root.handlers[:] = handlers
    root.setLevel(level)
    log.setLevel(ours)
