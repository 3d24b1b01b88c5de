"""Models that stand in for one that is not to be had."""

from dataclasses import replace

from claudegwd.translate.request.catalogue import Model
from claudegwd.translate.request.fallbacks import names_in, stand_ins, with_fallbacks
from claudegwd.translate.request.plan import Plan, make_plan
from tests.claudegwd.translate.requests import chat, user

FIRST = Model("opus", "claude-opus", "O", "", (), "none", True, 0)
SECOND = replace(FIRST, id="sonnet", cli_name="claude-sonnet")
THIRD = replace(FIRST, id="haiku", cli_name="claude-haiku")


def make(model: Model) -> Plan:
    return make_plan(chat([user("a")], response_format={"type": "json_object"}), model, "c")


def test_a_plan_becomes_one_for_the_next_model_and_that_for_the_next() -> None:
    plan = with_fallbacks(make, FIRST, [SECOND, THIRD])
    assert (plan.model, plan.stands_in_for) == (FIRST, "")
    assert plan.fallback
    second = plan.fallback()
    assert (second.model, second.stands_in_for) == (SECOND, "opus")
    assert second.fallback
    third = second.fallback()
    assert (third.model, third.stands_in_for, third.fallback) == (THIRD, "opus", None)
    assert with_fallbacks(make, FIRST, []) == make(FIRST)


def test_a_plan_that_is_made_anew_has_the_same_fallbacks() -> None:
    whole = True

    def make_for_now(model: Model) -> Plan:
        return replace(make(model), whole=whole)

    first = with_fallbacks(make_for_now, FIRST, [SECOND, THIRD])
    assert first.fallback
    second = first.fallback()
    whole = False
    for plan, following in ((first, SECOND), (second, THIRD)):
        anew = plan.anew_for(whole=False)
        assert anew
        again = anew()
        assert (again.model, again.stands_in_for, again.whole) == (plan.model, plan.stands_in_for, False)
        assert again.fallback
        assert again.fallback().model == following


def test_those_are_meant_by_the_name_that_the_client_writes_or_by_what_it_leads_to() -> None:
    fallbacks = {"opus": ["sonnet"], "claude-sonnet": ["haiku"]}
    assert stand_ins(FIRST, fallbacks) == ["sonnet"]
    assert stand_ins(SECOND, fallbacks) == ["haiku"]
    assert stand_ins(THIRD, fallbacks) == ()


def test_each_name_is_found_once() -> None:
    assert names_in({"opus": ["sonnet", "x"], "y": ["opus"]}) == ["opus", "sonnet", "x", "y"]
