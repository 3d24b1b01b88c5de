"""Any history of requests, failures, people and reloads leaves the ring sound."""

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from claudegwd.keys.answers import CannotRotate, Dead, NoKeys, WaitForKey
from claudegwd.keys.failures import FAILURES, FailureKind, KeyEffect
from claudegwd.keys.key import KeyStatus, UpstreamKey
from claudegwd.keys.ring import KeyRing
from claudegwd.keys.states import USABLE, KeyState

NAMES = ["a", "b", "c", "d"]
MODELS = ["sonnet", "opus"]
names = st.sampled_from(NAMES)
models = st.sampled_from(MODELS)
fresh = st.lists(
    st.builds(
        UpstreamKey,
        name=names,
        token=st.sampled_from(["sk-false-1", "sk-false-2"]),
        status=st.sampled_from(KeyStatus),
    ),
    max_size=4,
    unique_by=lambda key: key.name,
)


class RingMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.now = 1_700_000_000.0
        self.ring = KeyRing([UpstreamKey(name, "sk-false-1") for name in NAMES], cooldown_seconds=60)

    def rows(self) -> dict[str, dict[str, Any]]:
        return {row["name"]: row for row in self.ring.snapshot(self.now)}

    @rule(seconds=st.sampled_from([0.0, 0.5, 30.0, 60.0, 4000.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule(name=names, kind=st.sampled_from(FailureKind), model=models, wait=st.none() | st.floats(-10, 1e7))
    def fails(self, name: str, kind: FailureKind, model: str, wait: float | None) -> None:
        before = self.rows()
        self.ring.failed(name, kind, self.now, model=model, reset_at=None if wait is None else self.now + wait)
        after = self.rows()
        for other in before:
            if other != name or FAILURES[kind].effect is KeyEffect.UNCHANGED:
                moved = {before[other]["state"], after[other]["state"]} - {"active", "ready"}
                assert before[other]["state"] == after[other]["state"] or not moved

    @rule(name=names)
    def succeeds(self, name: str) -> None:
        before = self.rows()
        self.ring.succeeded(name, self.now, 3)
        assert {n: r["state"] for n, r in before.items()} == {n: r["state"] for n, r in self.rows().items()}

    @rule(to=st.none() | names)
    def rotates(self, to: str | None) -> None:
        try:
            name = self.ring.rotate(self.now, to)
        except (CannotRotate, LookupError):
            return
        assert self.rows()[name]["state"] == "active"

    @rule(keys=fresh)
    def reloads(self, keys: list[UpstreamKey]) -> None:
        self.ring.replace(keys, self.now)
        assert list(self.rows()) == [key.name for key in keys]
        for key in keys:
            assert (self.rows()[key.name]["state"] == "disabled") == (key.status is KeyStatus.DISABLED)

    @rule(name=names)
    def is_cleared(self, name: str) -> None:
        if name in self.rows():
            self.ring.clear(name)
            assert self.rows()[name]["state"] in ("active", "ready", "disabled")

    @rule()
    def restarts(self) -> None:
        before = self.rows()
        keys = [entry.key for entry in self.ring._entries.values()]
        after = KeyRing(keys, cooldown_seconds=60)
        after.remember(self.ring.remembered(), self.now)
        self.ring = after
        for name, row in self.rows().items():
            if row["state"] != "disabled":
                assert (row["state"], row["cooling_until"]) == (before[name]["state"], before[name]["cooling_until"])

    @rule(model=models, prefer=st.none() | names, tried=st.sets(names))
    @precondition(lambda self: len(self.ring) > 0)
    def chooses(self, model: str, prefer: str | None, tried: set[str]) -> None:
        choice = self.ring.choose(self.now, model=model, prefer=prefer, tried=tried)
        rows = self.rows()
        live = {n: r for n, r in rows.items() if r["state"] in ("active", "ready")}
        could = {n for n, r in live.items() if model not in r["forbidden_models"]}
        match choice:
            case UpstreamKey(name=name):
                assert name in could - tried
                if prefer in could - tried:
                    assert name == prefer
                elif active := {n for n in could - tried if rows[n]["state"] == "active"}:
                    assert name in active
            case WaitForKey(until=until):
                assert not could - tried
                assert until > self.now
                times = [r["cooling_until"] for r in rows.values() if r["cooling_until"] is not None]
                assert could or until in times
            case Dead(kind=kind):
                assert not could
                forbidden = any(r["forbidden_models"] for r in rows.values())
                assert kind is (
                    FailureKind.MODEL_FORBIDDEN
                    if forbidden and kind is not FailureKind.AUTHENTICATION
                    else FailureKind.AUTHENTICATION
                )
            case NoKeys():
                raise AssertionError("a ring with keys has keys")

    @invariant()
    def one_active_if_any_is_usable(self) -> None:
        states = [KeyState(row["state"]) for row in self.rows().values()]
        assert states.count(KeyState.ACTIVE) == (1 if any(state in USABLE for state in states) else 0)

    @invariant()
    def times_belong_to_timed_states(self) -> None:
        for row in self.rows().values():
            timed = row["state"] in ("cooling", "exhausted")
            assert (row["cooling_until"] is not None) == timed
            if timed:
                assert row["cooling_until"] > self.now


TestRing = RingMachine.TestCase
TestRing.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
