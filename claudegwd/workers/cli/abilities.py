"""What a CLI can do, tested on a dedicated process before the first request: it varies by version.

Nothing leaves this machine: if a question has to be asked, an endpoint on loopback answers it.
"""

from collections.abc import Mapping

import trio

from claudegwd.claude_cli import commands
from claudegwd.demo.endpoint import ScriptedEndpoint
from claudegwd.demo.script import RecordedRequest, ScriptedReply, Text
from claudegwd.translate.answer.turn import Turn
from claudegwd.translate.request.parameters import EXTRA_BODY
from claudegwd.translate.request.tools import ToolSet
from claudegwd.workers.worker.life import WorkerLost
from claudegwd.workers.worker.states import WorkerEvent, WorkerState
from claudegwd.workers.worker.worker import Worker

# It takes some 100 ms; on a machine that is busy starting many programs, longer.
TRIAL_SECONDS = 10.0

# The second question shows that the process can be asked again after the first.
_QUESTIONS = 2
# Cut off at its limit: left alone, the CLI would now ask upstream three more times.
_CUT = ScriptedReply((Text(("ok",)),), stop_reason="max_tokens")
_TOKEN = "sk-trial-on-loopback"  # noqa: S105 - it opens nothing
_UUID = "00000000-0000-4000-8000-000000000000"


async def takes_whole(worker: Worker) -> bool:
    """Whether this CLI sends a whole body unchanged, once, and can be asked again. The worker must have been started
    for that and initialized; it is of no other use afterwards."""
    if worker.life.state in (WorkerState.STARTING, WorkerState.SPARE):
        worker.life.change(WorkerEvent.TAKEN)
    endpoint = ScriptedEndpoint(lambda _: _CUT)
    bodies = [{"messages": [{"role": "user", "content": f"trial {number}"}]} for number in range(_QUESTIONS)]
    done = False
    async with trio.open_nursery() as nursery:
        url = await nursery.start(endpoint.serve)
        try:
            with trio.move_on_after(TRIAL_SECONDS):
                for body in bodies:
                    await _ask(worker, url, body)
                done = True
        except WorkerLost:
            pass
        nursery.cancel_scope.cancel()
    return done and [_messages(request) for request in endpoint.requests] == [body["messages"] for body in bodies]


async def goes_back(worker: Worker) -> bool:
    """Whether this CLI can cut its transcript. The worker must have been initialized."""
    try:
        with trio.move_on_after(TRIAL_SECONDS):
            worker.transcript.add(b"trial", _UUID)
            await worker.append(commands.append_user("trial", _UUID))
            await worker.go_back(0)
            return True
    except WorkerLost:
        pass
    return False


async def _ask(worker: Worker, url: str, body: Mapping[str, object]) -> None:
    if worker.life.state is WorkerState.IDLE:
        worker.life.change(WorkerEvent.TAKEN)
    credentials = {"ANTHROPIC_BASE_URL": url, "ANTHROPIC_AUTH_TOKEN": _TOKEN, "ANTHROPIC_API_KEY": ""}
    worker.settings.put({"env": {EXTRA_BODY: commands.encode(body).decode(), **credentials}}, None)
    reader = worker.ask(Turn(ToolSet()), commands.ask("."))
    while await reader.receive() is not None:
        pass
    await worker.turn.until_settled()


def _messages(request: RecordedRequest) -> object:
    return request.body.get("messages")
