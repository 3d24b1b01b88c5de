from __future__ import annotations

import msgspec

from claudegwd.config import Config, diff, in_effect
from claudegwd.config.diff import NEEDS_RESTART
from claudegwd.config.fields import KEYS
from claudegwd.config.schema import ControlConfig, LimitsConfig, LogConfig, ServerConfig, SharedConfig

OLD = Config()
NEW = msgspec.structs.replace(
    OLD,
    server=ServerConfig(bind=("127.0.0.1:9000",), max_body_bytes=2048),
    control=ControlConfig(socket="/run/x.sock", group="x"),
    shared=SharedConfig(
        url="valkey://10.0.0.2", password_file="pw", secret_file="s", ca_file="ca", local_share=0.25, machine="one"
    ),
    log=LogConfig(level="debug"),
)


def test_nothing_changed() -> None:
    assert diff(OLD, Config()) == ()


def test_a_number_written_otherwise_is_no_change() -> None:
    assert diff(OLD, msgspec.structs.replace(OLD, limits=LimitsConfig(queue_seconds=30.0))) == ()


def test_changes_in_the_order_of_the_file() -> None:
    assert [(change.key, change.needs_restart) for change in diff(OLD, NEW)] == [
        ("server.bind", True),
        ("server.max_body_bytes", False),
        ("control.socket", True),
        ("control.group", True),
        ("shared.url", True),
        ("shared.password_file", True),
        ("shared.secret_file", True),
        ("shared.ca_file", True),
        ("shared.local_share", True),
        ("shared.machine", True),
        ("log.level", False),
    ]


def test_a_change_as_json() -> None:
    assert msgspec.json.decode(msgspec.json.encode(diff(OLD, NEW)[0].as_dict())) == {
        "key": "server.bind",
        "old": ["127.0.0.1:8000"],
        "new": ["127.0.0.1:9000"],
        "needs_restart": True,
    }


def test_open_listeners_stay_as_they_are() -> None:
    running = in_effect(OLD, NEW)
    assert running.server.bind == OLD.server.bind
    assert running.control == OLD.control
    assert running.shared == OLD.shared
    assert running.server.max_body_bytes == 2048
    assert running.log.level == "debug"
    assert {change.key for change in diff(running, NEW)} == NEEDS_RESTART


def test_the_keys_that_need_a_restart_exist() -> None:
    assert set(KEYS) >= NEEDS_RESTART
