import signal
import subprocess

import pytest
import trio

from claudegwd.workers.process.group import end_group

STEPS = ((signal.SIGTERM, 0.2), (signal.SIGKILL, 5.0))


@pytest.mark.parametrize(
    ("script", "status"),
    [
        ("sleep 1000 & echo; wait", -signal.SIGTERM),
        ('trap "" TERM; sleep 1000 & echo; while :; do wait; done', -signal.SIGKILL),
        ("sleep 1000 & echo", 0),
    ],
)
async def test_nothing_of_the_group_is_left(script: str, status: int) -> None:
    process = await trio.lowlevel.open_process(
        ["/bin/sh", "-c", script], stdout=subprocess.PIPE, start_new_session=True
    )
    assert process.stdout is not None
    with trio.fail_after(10):
        assert await process.stdout.receive_some(1) == b"\n"
        if not status:
            await process.wait()
        left = await end_group(process, STEPS)
        assert await process.stdout.receive_some(1) == b"", "nobody holds the pipe any more"
    assert process.returncode == status
    assert left or status
    await process.stdout.aclose()
