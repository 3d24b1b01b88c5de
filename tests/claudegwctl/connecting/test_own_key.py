from __future__ import annotations

import pytest

from claudegwctl.connecting.own_key import OwnKey, own_key, still_counts

ROWS = [
    {"name": "zed", "state": "active"},
    {"name": "codex", "state": "revoked"},
    {"name": "aider", "state": "expired"},
]


def test_one_is_made_only_where_there_is_none() -> None:
    assert own_key("cline", None, ROWS) == OwnKey(to_make=True)
    assert own_key("cline", "cgw-false-of-another", ROWS) == OwnKey(to_make=True)
    assert own_key("zed", "cgw-false-1", ROWS) == OwnKey("cgw-false-1")


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("zed", "`GATEWAY_KEY=$(claudegwctl clients rotate zed) claudegwctl connect zed --write`"),
        ("codex", "revoked; remove it with `claudegwctl clients remove codex`"),
        ("aider", "expired; remove it with `claudegwctl clients remove aider`"),
    ],
)
def test_what_is_in_the_way(name: str, says: str) -> None:
    found = own_key(name, None, ROWS, write=True)
    assert (found.key, found.to_make) == (None, False)
    assert says in found.obstacle


def test_what_is_said_of_a_key_that_stays() -> None:
    assert "`claudegwctl clients remove zed`" in still_counts("zed", ROWS)
    assert (still_counts("codex", ROWS), still_counts("cline", ROWS)) == ("", "")
