from __future__ import annotations

import jsonschema

from claudegwd.ledger.entry import Sums
from claudegwd.ledger.query import UsageQuery, answer
from claudegwd.openai_api.openapi_usage import usage_schemas


def test_what_the_ledger_answers_is_as_described() -> None:
    schema = usage_schemas()["ClientUsage"]
    priced, unpriced = Sums(1, 100, 20, 40, 10, 5, 1, 300, 900, 1, 0, 0.25), Sums(1, 7, unpriced=1)
    jsonschema.validate(
        answer(UsageQuery(0.0, ("model",)), [(("sonnet",), 0, priced), (("opus",), 1, unpriced)]), schema
    )
    jsonschema.validate(answer(UsageQuery(0.0), []), schema)
