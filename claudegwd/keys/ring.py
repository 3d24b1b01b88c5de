"""The key ring: which upstream key the next request uses, and what each outcome does to a key.

Pure: the clock is an argument everywhere (``now``: wall clock, seconds since the epoch, because resets are given in it
and states outlive the process). Not thread-safe.

An empty ring is allowed: no keys are configured, and ``choose`` returns ``NoKeys``, which means that the credentials in
the daemon's own environment, or the CLI's own login, are used. Report outcomes under ``NoKeys.name`` just as under a
key's name; failures then end in ``WaitForKey`` or ``Dead`` there as well.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any

from claudegwd.keys.addresses import Addresses, Outage
from claudegwd.keys.answers import (
    ENVIRONMENT,
    CannotRotate,
    Dead,
    KeysDiff,
    NoKeys,
    RingChange,
    UnknownKey,
    WaitForKey,
    why_no_rotation,
    why_not_to,
)
from claudegwd.keys.entry import KeyEntry, RememberedKey
from claudegwd.keys.environment import EnvironmentLogin
from claudegwd.keys.failures import FailureKind
from claudegwd.keys.key import KeyStatus, UpstreamKey, refuse_duplicates, renamed_keys, with_status
from claudegwd.keys.lacking import lack, nothing_left
from claudegwd.keys.marks import KeyMark
from claudegwd.keys.news import TOLD, KeyNews, ToldStates
from claudegwd.keys.rotation import ASKED, Rotation
from claudegwd.keys.states import KeyState
from claudegwd.keys.windows import Windows


class KeyRing:
    """Keys in file order, at most one of them active.

    ``cooldown_seconds``: the first wait after a rate limit for which the upstream names no reset.
    ``on_change``: called after each change, ``on_news`` once for each change of a key's state; both must be quick and
    must not call the ring.
    """

    def __init__(
        self,
        keys: Sequence[UpstreamKey],
        *,
        cooldown_seconds: float,
        on_change: Callable[[RingChange], None] = lambda _: None,
    ) -> None:
        refuse_duplicates(keys)
        self.cooldown_seconds = cooldown_seconds
        self.by_headroom = False  # the active key is the one with the most left of its limits, not the first
        self.windows = Windows()
        self.addresses = Addresses()
        self.on_change = on_change
        self._entries: dict[str, KeyEntry] = {key.name: KeyEntry.new(key) for key in keys}
        self.on_news: Callable[[KeyNews], None] = lambda _: None
        self._login = EnvironmentLogin()
        self._given = keys  # as configured
        self._withheld: frozenset[str] = frozenset()  # digests of those that must not be used
        self.rotation = Rotation(self._entries)
        self._told = ToldStates(self._entries)

    # -- asking

    def choose(
        self,
        now: float,
        *,
        model: str | None,
        prefer: str | None = None,
        tried: Collection[str] = (),
        avoid: Collection[str] = (),
    ) -> UpstreamKey | NoKeys | WaitForKey | Dead:
        """The key for the next attempt of one request.

        First ``prefer``, the conversation's key so far (its prompt cache is there), if usable; then the active key;
        then the next ready one in file order; of these, first one whose address (UpstreamKey.address) is not in
        ``avoid``, then one whose address answers. ``tried``: the names this request has failed with; empty it after a
        WaitForKey. WaitForKey: none now, but one is back at ``until``. Dead: only a person can help.
        """
        self.settle(now)
        if not self._entries:
            return self._login.choose(now, tried)
        if self.by_headroom and self.rotation.to_roomiest(lambda name: self.windows.used(name, now)):
            self._tell("headroom")
            self.on_change(RingChange.STATE)
        order = self.rotation.order(prefer)
        able = (e.key for e in order if e.usable and e.key.name not in tried and e.allows(model, now))
        if (best := self.addresses.best(able, avoid, now)) is not None:
            return best
        return nothing_left(self._entries.values(), now, model)

    def lack(self, now: float, model: str | None) -> WaitForKey | Dead | None:
        """Why no request could be answered now, or None if one could. Changes nothing."""
        return lack(self._entries.values(), now, model) if self._entries else self._login.lack(now)

    def outage(self, now: float) -> Outage | None:
        """The outage since which no upstream of a usable key answers; None if one does."""
        usable = {entry.key.address for entry in self._entries.values() if entry.usable}
        return self.addresses.of_all(usable if self._entries else {ENVIRONMENT}, now)

    def login_failure(self, now: float) -> dict[str, Any] | None:
        """The last failure of the daemon's own login (EnvironmentLogin.snapshot); None if there are keys."""
        return None if self._entries else self._login.snapshot(now)

    def forget_login(self) -> None:
        """The daemon's own login has changed: nothing is known about the new one."""
        self._login = EnvironmentLogin()
        self.addresses.answered(ENVIRONMENT)
        self.windows.follow({name: name for name in self._entries})

    @property
    def active(self) -> UpstreamKey | None:
        """The key for new conversations, as of the last call with a clock."""
        entry = self.rotation.active()
        return entry.key if entry else None

    def __len__(self) -> int:
        return len(self._entries)

    # -- telling

    def succeeded(self, name: str, now: float, tokens: int, *, digest: str | None = None) -> None:
        """Key ``name`` had an answer, which used ``tokens``. A name that was removed meanwhile is ignored.

        ``digest``: UpstreamKey.digest of the key used; about a token that replaced it, this says nothing.
        """
        if name == ENVIRONMENT:
            self._login.succeeded()
            self.addresses.answered(ENVIRONMENT)
        elif (entry := self._entries.get(name)) is not None:
            entry.succeed(now, tokens, digest)
            if digest in (None, entry.key.digest):
                self.addresses.answered(entry.key.address)
            self.on_change(RingChange.COUNTERS)

    def failed(
        self,
        name: str,
        kind: FailureKind,
        now: float,
        *,
        model: str | None = None,
        reset_at: float | None = None,
        error: str = "",
        digest: str | None = None,
        request: str = "",
    ) -> None:
        """A request with key ``name`` failed.

        ``model``: the one requested, for MODEL_FORBIDDEN. ``reset_at``: when the upstream says the limit ends, seconds
        since the epoch. ``error``: class and status for the status page, with a redacted reason. ``digest``:
        UpstreamKey.digest of the key used. ``request``: its id. Failures of a token that was replaced, or a name that
        was removed, in the meantime are ignored.
        """
        if name == ENVIRONMENT:
            self._login.failed(kind, now, reset_at, self.cooldown_seconds, error)
            self.addresses.failed(ENVIRONMENT, kind, now, request)
            return
        entry = self._entries.get(name)
        if entry is None or (digest is not None and digest != entry.key.digest):
            return
        self.addresses.failed(entry.key.address, kind, now, request)
        changed = entry.fail(kind, now, cooldown=self.cooldown_seconds, model=model, reset_at=reset_at, error=error)
        self.rotation.to_next(kind.value)
        self._tell(error or kind.value, name)
        self.on_change(RingChange.STATE if changed else RingChange.COUNTERS)

    def learn(self, mark: KeyMark, now: float) -> None:
        """Apply what another machine has learned about one of our keys. The caller must check that it is news."""
        meant = [entry for entry in self._entries.values() if entry.key.digest == mark.digest]
        changed = [entry for entry in meant if entry.learn(mark, now)]
        if changed:
            self.rotation.to_next(TOLD)
            self._tell(TOLD, changed[0].key.name)
            self.on_change(RingChange.STATE)

    def settle(self, now: float) -> None:
        """Restore keys whose time is over, and ensure that a ready one is active. Every other call does it first."""
        recovered = [entry for entry in self._entries.values() if entry.recover(now)]
        if self.rotation.to_next("recovered") or recovered:
            self._tell("recovered")
            self.on_change(RingChange.STATE)

    # -- what people do

    def next_active(self, now: float, to: str | None = None) -> str:
        """The name of the key that ``rotate`` would activate. Raises UnknownKey, CannotRotate."""
        self.settle(now)
        if to is None:
            entry = self.rotation.next_ready()
            if entry is None:
                raise CannotRotate(why_no_rotation(len(self._entries)))
        else:
            entry = self._entry(to)
        if not entry.usable:
            raise CannotRotate(why_not_to(entry.key.name, entry.state))
        return entry.key.name

    def rotate(self, now: float, to: str | None = None) -> str:
        """Make ``to``, or the next ready key, the active one; returns its name. Raises UnknownKey, CannotRotate.

        Running conversations keep their key; disable a key to move them off it.
        """
        name = self.next_active(now, to)
        self.rotation.to(self._entry(name), ASKED)
        self._tell(ASKED)
        self.on_change(RingChange.STATE)
        return name

    def clear(self, name: str, digest: str | None = None) -> bool:
        """A person or a test says that the key works. A disabled key stays disabled. Raises UnknownKey.

        ``digest``: UpstreamKey.digest of the key meant. Returns False, and does nothing, if its token was replaced.
        """
        entry = self._entry(name)
        if digest is not None and digest != entry.key.digest:
            return False
        entry.clear()
        self.rotation.to_next("recovered")
        self._tell("cleared")
        self.on_change(RingChange.STATE)
        return True

    def replace(self, keys: Sequence[UpstreamKey], now: float) -> KeysDiff:
        """Take a new list of keys. A key keeps its history as long as its token and host stay the same, even under
        another name; failures that running requests then report under the old name are ignored."""
        refuse_duplicates(keys)
        self._given = keys
        keys = [with_status(key, KeyStatus.DISABLED) if key.digest in self._withheld else key for key in keys]
        old = self._entries
        renamed = renamed_keys([entry.key for entry in old.values()], keys)
        differs = KeysDiff.between((entry.key for entry in old.values()), keys)
        before = {key.name: old.get(renamed.get(key.name, key.name)) for key in keys}
        # A new token has its own limits.
        same = {key.name: was.key.name for key in keys if (was := before[key.name]) and was.key.digest == key.digest}
        self.windows.follow(same if keys else {ENVIRONMENT: ENVIRONMENT})
        self._entries = {key.name: before[key.name] or KeyEntry.new(key) for key in keys}
        self.rotation.follow(self._entries, renamed, differs.removed)
        for key in keys:
            self._entries[key.name].become(key)
        self.addresses.keep([key.address for key in keys])
        self.rotation.to_next("changed")
        self._login = EnvironmentLogin()
        self._tell("changed")
        self.settle(now)
        self.on_change(RingChange.STATE)
        return differs

    def withhold(self, digests: Collection[str], now: float) -> None:
        """Use none of these keys, and all others as configured."""
        if self._withheld != frozenset(digests):
            self._withheld = frozenset(digests)
            self.replace(self._given, now)

    # -- for the status and the store

    def snapshot(self, now: float) -> list[dict[str, Any]]:
        """One dict per key in file order (KeyEntry.snapshot), with whether it is withheld and since when its upstream
        has not answered. Never a token."""
        self.settle(now)
        return [
            {
                **entry.snapshot(now),
                "withheld": entry.key.digest in self._withheld,
                "unanswered_since": outage.since if (outage := self.addresses.outage(entry.key.address, now)) else None,
            }
            for entry in self._entries.values()
        ]

    def remembered(self) -> list[RememberedKey]:
        """What must outlive the process."""
        return [entry.remembered() for entry in self._entries.values()]

    def remember(self, rows: Iterable[RememberedKey], now: float) -> None:
        """Restore what ``remembered`` returned in an earlier run. Call it once, before the first request."""
        for row in rows:
            entry = self._entries.get(row.name)
            if entry is None:
                continue
            entry.remember(row, now)
            if row.state is KeyState.ACTIVE and entry.usable:
                self.rotation.to(entry, None)
        self.rotation.to_next(None)
        self._tell("remembered")

    # -- inside

    def _tell(self, reason: str, about: str | None = None) -> None:
        self._told.tell(self._entries, self.on_news, reason, about)

    def _entry(self, name: str) -> KeyEntry:
        if name not in self._entries:
            raise UnknownKey(f"cannot find key {name!r}; `claudegwctl keys list` shows the names")
        return self._entries[name]
