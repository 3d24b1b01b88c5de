"""Client keys on disk."""

import sqlite3

import pytest

from claudegwd.limits.clients import Client, ClientTotals, token_digest
from claudegwd.store.clients import delete_client, insert_clients, load_clients, revoke_client, save_totals
from claudegwd.store.database import Database

A = Client("a", token_digest("cgw-false-1"), ("sonnet", "opus"), 0, 5, None, created=1.5, expires=9.5)
B = Client("b", token_digest("cgw-false-2"), created=2.0)


@pytest.fixture
def database() -> Database:
    database = Database(None)
    database.run_blocking(insert_clients, [(A, ClientTotals()), (B, ClientTotals(1, 2, 3.0))])
    return database


def test_clients_come_back_as_they_were(database: Database) -> None:
    assert database.run_blocking(load_clients) == [(A, ClientTotals()), (B, ClientTotals(1, 2, 3.0))]


def test_names_and_keys_are_there_once(database: Database) -> None:
    with pytest.raises(sqlite3.IntegrityError):
        database.run_blocking(insert_clients, [(Client("c", A.digest), ClientTotals())])
    twin = Client("a", b"x", ("opus",))
    database.run_blocking(insert_clients, [(twin, ClientTotals(5))])
    assert database.run_blocking(load_clients) == [(twin, ClientTotals(5)), (B, ClientTotals(1, 2, 3.0))]


def test_the_first_revocation_stands(database: Database) -> None:
    database.run_blocking(revoke_client, "a", 5.0)
    database.run_blocking(revoke_client, "a", 6.0)
    assert [client.revoked for client, _ in database.run_blocking(load_clients)] == [5.0, None]


def test_totals_and_deletion(database: Database) -> None:
    database.run_blocking(delete_client, "b", "b", 7.0)
    database.run_blocking(save_totals, [("a", ClientTotals(7, 8, 9.0)), ("b", ClientTotals(1, 1, 1.0))])
    assert database.run_blocking(load_clients) == [(A, ClientTotals(7, 8, 9.0))]
