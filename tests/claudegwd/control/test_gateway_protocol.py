from __future__ import annotations

import inspect

import pytest

from claudegwd.changes import RunningGateway
from claudegwd.control.gateway_protocol import Gateway
from tests.small_gateway import SmallGateway

METHODS = [name for name, value in vars(Gateway).items() if not name.startswith("_") and inspect.isfunction(value)]


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("kind", [RunningGateway, SmallGateway])
def test_the_gateway_and_its_stand_in_have_each_method(kind: type, name: str) -> None:
    wanted, found = getattr(Gateway, name), getattr(kind, name)
    assert inspect.iscoroutinefunction(found) == inspect.iscoroutinefunction(wanted)
    assert list(inspect.signature(found).parameters) == list(inspect.signature(wanted).parameters)


def test_the_stand_in_has_each_attribute(gateway: SmallGateway) -> None:
    for name, value in vars(Gateway).items():
        if isinstance(value, property):
            assert hasattr(gateway, name)
