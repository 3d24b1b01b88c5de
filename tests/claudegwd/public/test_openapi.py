"""The description that is served, against the routes that are."""

import re

from claudegwd.openai_api.bounds import Bounds
from claudegwd.openai_api.description.document import OPERATIONS, describe
from claudegwd.public.app import ROUTES


def test_every_route_is_described_and_nothing_else() -> None:
    described = describe("1", [(route.method, route.path, route.open) for route in ROUTES], Bounds())
    found = {(method.upper(), path) for path, methods in described["paths"].items() for method in methods}
    served = {(route.method, re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", route.path)) for route in ROUTES}
    assert found == served
    assert served == set(OPERATIONS)


def test_open_routes_are_the_ones_without_security() -> None:
    described = describe("1", [(route.method, route.path, route.open) for route in ROUTES], Bounds())
    without = {path for path, methods in described["paths"].items() for op in methods.values() if op["security"] == []}
    assert without == {"/", "/health", "/livez", "/readyz", "/openapi.json"}


def test_handlers_have_names_of_their_own() -> None:
    # A name is the route's endpoint, and by it the access checks know which routes are open.
    names = [route.handler.__name__ for route in ROUTES]
    assert len(set(names)) == len(names)
