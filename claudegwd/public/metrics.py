"""GET /metrics: metrics for Prometheus."""

from itertools import chain

import trio
from quart import Response

from claudegwd.gateway import gauges, usage_metrics
from claudegwd.gateway.metrics import CONTENT_TYPE, written
from claudegwd.public.call import Call


async def metrics(call: Call) -> Response:
    """Current values and counters, in Prometheus's text format."""
    gateway = call.gateway
    pieces = []
    used = usage_metrics.families(gateway.ledger.series, gateway.ledger.lost)
    for family in chain(gauges.families(gateway), used, gateway.metrics.families()):
        pieces.append(written(family))
        await trio.lowlevel.checkpoint()  # a large family takes a few milliseconds: let streams continue
    return Response(b"".join(pieces), content_type=CONTENT_TYPE)
