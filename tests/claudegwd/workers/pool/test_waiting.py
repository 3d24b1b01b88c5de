"""The fair queue."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claudegwd.workers.pool.waiting import FairQueue


def drained(queue: FairQueue[str]) -> list[str]:
    return [queue.pop() for _ in range(len(queue))]


def test_clients_take_turns() -> None:
    queue: FairQueue[str] = FairQueue(10)
    for item in ("a1", "a2", "a3", "b1", "c1", "b2"):
        queue.put(item[0], item)
    assert drained(queue) == ["a1", "b1", "c1", "a2", "b2", "a3"]


def test_the_bound_is_seen() -> None:
    queue: FairQueue[str] = FairQueue(2)
    queue.put("a", "1")
    assert not queue.full
    queue.put("b", "2")
    assert queue.full


def test_the_head_is_who_pops_next() -> None:
    queue: FairQueue[str] = FairQueue(2)
    assert queue.head() is None
    queue.put("a", "1")
    queue.put("b", "2")
    assert queue.head() == "1" == queue.pop()
    assert queue.head() == "2"


def test_one_who_gives_up_is_taken_out() -> None:
    queue: FairQueue[str] = FairQueue(3)
    queue.put("a", "1")
    queue.put("a", "2")
    queue.discard("a", "1")
    queue.discard("a", "1")
    queue.discard("nobody", "1")
    assert drained(queue) == ["2"]
    with pytest.raises(LookupError):
        queue.pop()


@given(st.lists(st.tuples(st.sampled_from("abc"), st.booleans())))
def test_nobody_is_lost_or_served_twice(steps: list[tuple[str, bool]]) -> None:
    queue: FairQueue[str] = FairQueue(1000)
    given_in, given_out = [], []
    for number, (client, pops) in enumerate(steps):
        queue.put(client, f"{client}{number}")
        given_in.append(f"{client}{number}")
        if pops:
            given_out.append(queue.pop())
    given_out += drained(queue)
    assert sorted(given_in) == sorted(given_out)
    for client in "abc":  # and each client's own are served in their order
        mine = [item for item in given_out if item[0] == client]
        assert mine == sorted(mine, key=lambda item: int(item[1:]))


@given(st.lists(st.sampled_from("abcd"), max_size=40))
def test_between_two_of_one_client_every_other_waiting_one_is_served(clients: list[str]) -> None:
    queue: FairQueue[str] = FairQueue(1000)
    for client in clients:
        queue.put(client, client)
    served = drained(queue)
    rounds = max((clients.count(client) for client in clients), default=0)
    position = 0
    for turn in range(rounds):
        width = sum(clients.count(client) > turn for client in set(clients))
        assert len(set(served[position : position + width])) == width
        position += width


@given(st.lists(st.sampled_from("abc"), min_size=1))
def test_a_place_that_is_given_back_is_the_first(clients: list[str]) -> None:
    queue: FairQueue[str] = FairQueue(1000)
    for number, client in enumerate(clients):
        queue.put(client, f"{client}{number}")
    served = queue.pop()
    queue.put_first(served[0], served)
    assert (len(queue), queue.head(), queue.pop()) == (len(clients), served, served)
