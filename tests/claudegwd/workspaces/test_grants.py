from __future__ import annotations

import pytest

from claudegwd.limits.clients import ANONYMOUS, PREFIX
from claudegwd.openai_api.errors import AuthenticationFailed, PermissionDenied
from claudegwd.workspaces.grants import REQUESTS_PER_TURN, Grant, Grants


def grant(max_usd: float = 0.0) -> Grant:
    return Grant(ANONYMOUS, "repo", "sonnet", max_turns=2, max_usd=max_usd)


def test_a_key_lasts_as_long_as_its_answer() -> None:
    grants = Grants()
    one = grant()
    with grants.open(one) as token, grants.open(grant()) as other:
        assert token.startswith(PREFIX)
        assert token != other
        assert grants.find(token) is one
        with pytest.raises(AuthenticationFailed):
            grants.find(token[:-1])
        with pytest.raises(AuthenticationFailed):
            grants.find("")
    with pytest.raises(AuthenticationFailed):
        grants.find(token)


def test_its_requests_are_bounded() -> None:
    one = grant()
    for _ in range(2 * REQUESTS_PER_TURN):
        one.use()
    with pytest.raises(PermissionDenied):
        one.use()


def test_its_cost_is_bounded() -> None:
    one = grant(max_usd=0.1)
    one.use()
    one.spend(0.1)
    with pytest.raises(PermissionDenied):
        one.use()


def test_while_it_rests_nothing_is_asked_and_each_answer_has_its_own_bounds() -> None:
    one = grant(max_usd=0.1)
    one.spend(0.1)
    one.rests = True
    one.renew(ANONYMOUS)
    one.use()
    one.rests = True
    with pytest.raises(PermissionDenied):
        one.use()
