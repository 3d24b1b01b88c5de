"""Nobody notices a restart: what was asked before is answered, and what is asked meanwhile waits."""

import json
from pathlib import Path

from tests.systemd.conftest import PACKAGE
from tests.systemd.laboratory import Service

REQUESTS = 500
RESTART_AFTER = [100, 300]


def test_of_500_requests_over_two_restarts_none_is_refused_or_lost(fake: Service) -> None:
    before = fake.main_pid
    with fake.lab.visiting("crowd", "8000", str(REQUESTS)) as visitor:
        assert visitor.stdout is not None
        found = None
        for line in visitor.stdout:
            found = json.loads(line)
            if found in RESTART_AFTER:
                fake.control("restart", "claudegwd")
    assert found == {"answered": REQUESTS, "failed": []}
    assert fake.main_pid != before
    assert fake.show("NRestarts") == "0"


def test_an_answer_that_is_streaming_ends_before_the_daemon_does(demo: Service) -> None:
    before = demo.main_pid
    with demo.lab.visiting("stream", "8000", "Hello!") as visitor:
        assert visitor.stdout is not None
        assert json.loads(visitor.stdout.readline()) == "begun"
        demo.control("restart", "claudegwd")
        found = json.loads(visitor.stdout.readline())
    assert demo.main_pid != before
    assert found["finish_reason"] == "stop"
    assert found["text"].startswith("Hello from the claudegwd demo!")
    assert found["text"].endswith("set stop or max_tokens.")


def test_a_stop_is_one_though_somebody_asks(fake: Service) -> None:
    with fake.lab.visiting("crowd", "8000", "40") as visitor:
        assert visitor.stdout is not None
        assert json.loads(visitor.stdout.readline()) == 1
        fake.control("stop", "claudegwd")
        assert fake.show("ActiveState") == "inactive"
        found = json.loads(visitor.stdout.read().splitlines()[-1])
    assert found["failed"]
    assert fake.show("ActiveState") == "inactive"


def test_an_upgrade_restarts_what_runs(demo: Service, package: Path) -> None:
    before = demo.main_pid
    demo.lab.run("dpkg", "-i", f"{PACKAGE}/{package.name}")
    assert demo.main_pid != before
    assert demo.lab.ask("8000", "Hello?") == 200
