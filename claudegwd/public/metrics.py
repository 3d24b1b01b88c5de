"""GET /metrics: numbers for Prometheus."""

from itertools import chain

import trio
from quart import Response, g

from claudegwd.gateway import gauges, usage_metrics
from claudegwd.gateway.gateway import Gateway
from claudegwd.gateway.metrics import CONTENT_TYPE, written


async def metrics() -> Response:
    """What is and what happened, in Prometheus' text format."""
    gateway: Gateway = g.gateway
    pieces = []
    used = usage_metrics.families(gateway.ledger.series, gateway.ledger.lost)
    for family in chain(gauges.families(gateway), used, gateway.metrics.families()):
        pieces.append(written(family))
        await trio.lowlevel.checkpoint()  # a large family takes a few milliseconds: streams go on between two
    return Response(b"".join(pieces), content_type=CONTENT_TYPE)
