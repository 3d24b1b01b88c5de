from __future__ import annotations

from dataclasses import astuple

import jsonschema

from claudegwd.ledger.entry import Sums
from claudegwd.ledger.query import UsageQuery, answer
from claudegwd.openai_api.description.usage import usage_schemas


def test_what_the_ledger_answers_is_as_described() -> None:
    schema = usage_schemas()["ClientUsage"]
    priced = ("sonnet", 0, *astuple(Sums(1, 100, 20, 40, 10, 5, 1, 300, 900, 1, 0, 0.25, 2)))
    unpriced = ("opus", 1, *astuple(Sums(1, 7, unpriced=1)))
    some, none = (
        answer(UsageQuery(0.0, ("model",)), [priced, unpriced], unpriced[1:]),
        answer(UsageQuery(0.0), [], (0, *astuple(Sums()))),
    )
    for found, complete in ((some, True), (none, False)):
        jsonschema.validate({**found, "complete": complete}, schema)
