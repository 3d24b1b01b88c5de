"""Fallback models for models that are not available, as the operator lists them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from claudegwd.translate.request.catalogue import Model
from claudegwd.translate.request.plan import Plan

Fallbacks = Mapping[str, Sequence[str]]


def stand_ins(model: Model, fallbacks: Fallbacks) -> Sequence[str]:
    """The names of the models that may stand in for it, in the order in which to try them."""
    return fallbacks.get(model.id) or fallbacks.get(model.cli_name) or ()


def with_fallbacks(make: Callable[[Model], Plan], model: Model, others: Sequence[Model], wanted: str = "") -> Plan:
    """The plan for `model`, which can turn into one for the first of the `others`, and that into one for the next.

    `wanted`: the name that was asked for, if `model` is not that one. Raises what `make` raises.
    """
    plan = make(model)
    if plan.whole is not None:
        plan = replace(plan, anew=partial(with_fallbacks, make, model, others, wanted))
    if not others:
        return replace(plan, stands_in_for=wanted) if wanted else plan
    following = wanted or model.id
    return replace(plan, stands_in_for=wanted, fallback=lambda: with_fallbacks(make, others[0], others[1:], following))


def names_in(fallbacks: Fallbacks) -> list[str]:
    """All the names in it."""
    return list(dict.fromkeys(name for model, others in fallbacks.items() for name in (model, *others)))
