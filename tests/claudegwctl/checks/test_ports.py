from __future__ import annotations

import socket
from pathlib import Path

from claudegwctl.checks.finding import Finding, Scene
from claudegwctl.checks.ports import check


def findings(binds: list[str], *, running: bool) -> list[Finding]:
    status = {"binds": binds} if running else None
    return list(check(Scene({}, Path("/s"), Path("/c"), status, {"server.bind": binds})))


def test_a_daemon_that_answers_and_one_that_does_not() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        for bind in (f"127.0.0.1:{port}", f"0.0.0.0:{port}"):
            (found,) = findings([bind], running=True)
            assert (found.level, found.says) == ("ok", f"{bind} takes connections")
    (found,) = findings([f"127.0.0.1:{port}"], running=True)
    assert found.level == "problem"
    assert "takes no connection: Connection refused" in found.says


def test_a_port_that_is_free_and_one_that_is_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        bind = f"127.0.0.1:{listener.getsockname()[1]}"
        (found,) = findings([bind], running=False)
        assert (found.level, found.says) == ("problem", f"{bind} is taken by another program")
        assert "ss -ltnp" in found.mend
    (found,) = findings([bind], running=False)
    assert (found.level, found.says) == ("ok", f"{bind} is free")


def test_an_address_that_is_not_ours() -> None:
    (found,) = findings(["192.0.2.1:8000"], running=False)
    assert (found.level, found.says) == ("problem", "192.0.2.1:8000 is no address of this machine")


def test_what_says_nothing_is_skipped() -> None:
    assert findings(["nonsense", "127.0.0.1:0"], running=False) == []
