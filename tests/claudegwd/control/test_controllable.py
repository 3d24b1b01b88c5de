from __future__ import annotations

import inspect

import pytest

from claudegwd.control.controllable import Controllable, Reloadable
from claudegwd.gateway.gateway import Gateway
from claudegwd.gateway.reloader import Reloader
from tests.small_gateway import SmallGateway

METHODS = [
    (protocol, kind, name)
    for protocol, real in ((Controllable, Gateway), (Reloadable, Reloader))
    for kind in (real, SmallGateway)
    for name, value in vars(protocol).items()
    if not name.startswith("_") and inspect.isfunction(value)
]


@pytest.mark.parametrize(("protocol", "kind", "name"), METHODS)
def test_the_real_ones_and_their_stand_in_have_each_method(protocol: type, kind: type, name: str) -> None:
    wanted, found = getattr(protocol, name), getattr(kind, name)
    assert inspect.iscoroutinefunction(found) == inspect.iscoroutinefunction(wanted)
    assert list(inspect.signature(found).parameters) == list(inspect.signature(wanted).parameters)


@pytest.mark.parametrize("protocol", [Controllable, Reloadable])
def test_the_stand_in_has_each_attribute(gateway: SmallGateway, protocol: type) -> None:
    for name, value in vars(protocol).items():
        if isinstance(value, property):
            assert hasattr(gateway, name)
