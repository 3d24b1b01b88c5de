from __future__ import annotations

import socket
from pathlib import Path

from claudegwd.daemon.demo_places import DEMO_CLIENT_KEY, demo_places
from tests.small_gateway import short_directory


def test_beside_a_gateway_that_runs() -> None:
    with short_directory() as usual, socket.socket(socket.AF_UNIX) as daemon:
        env = {"RUNTIME_DIRECTORY": str(usual), "CLAUDEGWD_SERVER__BIND": "127.0.0.1:1", "API_KEYS": "cgw-mine"}
        scratch = Path("/scratch")
        alone = demo_places(env, scratch)
        assert alone == {"STATE_DIRECTORY": "/scratch", "CONFIGURATION_DIRECTORY": "/scratch"}
        daemon.bind(str(usual / "control.sock"))
        assert demo_places(env, scratch) == alone, "a socket without an answer is no gateway"
        daemon.listen()
        assert demo_places(env, scratch) == alone | {"CLAUDEGWD_SOCKET": "/scratch/control.sock"}
        named = env | {"CLAUDEGWD_SOCKET": str(usual / "control.sock")}
        assert "CLAUDEGWD_SOCKET" not in demo_places(named, scratch), "what somebody named holds"


def test_it_has_a_key_where_nobody_gave_one() -> None:
    env = {"CLAUDEGWD_SOCKET": "/x", "CLAUDEGWD_SERVER__BIND": "0.0.0.0:1"}
    assert demo_places(env, Path("/s"))["API_KEYS"] == DEMO_CLIENT_KEY
    assert "API_KEYS" not in demo_places(env | {"API_KEYS": "cgw-mine"}, Path("/s"))


def test_a_port_that_is_taken() -> None:
    try:
        taken = socket.create_server(("127.0.0.1", 8000))
    except OSError:
        taken = socket.socket()  # somebody else has it: as good
    with taken:
        assert demo_places({"CLAUDEGWD_SOCKET": "/x"}, Path("/s"))["CLAUDEGWD_SERVER__BIND"] == "127.0.0.1:0"


def test_under_a_service_manager_it_has_the_places_of_the_service(tmp_path: Path) -> None:
    assert demo_places({"NOTIFY_SOCKET": "/run/notify"}, tmp_path) == {}
