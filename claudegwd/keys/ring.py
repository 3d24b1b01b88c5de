"""The key ring: which upstream key the next request uses, and what each outcome does to a key.

Pure: the clock is an argument everywhere (``now``: wall clock, seconds since the epoch, because resets are given in it
and states outlive the process). Not thread-safe.

An empty ring is allowed: no keys are configured, and ``choose`` returns ``NoKeys``, which means that the credentials in
the daemon's own environment, or the CLI's own login, are used. Report outcomes under ``NoKeys.name`` just as under a
key's name; failures then end in ``WaitForKey`` or ``Dead`` there as well.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any, Final

from claudegwd.keys.answers import ENVIRONMENT, CannotRotate, Dead, KeysDiff, NoKeys, RingChange, UnknownKey, WaitForKey
from claudegwd.keys.entry import KeyEntry, RememberedKey
from claudegwd.keys.environment import EnvironmentLogin
from claudegwd.keys.failures import FailureKind
from claudegwd.keys.key import KeyStatus, UpstreamKey, with_status
from claudegwd.keys.marks import KeyMark
from claudegwd.keys.news import TOLD, KeyNews, ToldStates
from claudegwd.keys.states import TIMED, KeyEvent, KeyState
from claudegwd.keys.windows import Windows

__all__ = [
    "ENVIRONMENT",
    "CannotRotate",
    "Dead",
    "KeyRing",
    "KeysDiff",
    "NoKeys",
    "RingChange",
    "UnknownKey",
    "UpstreamKey",
    "WaitForKey",
]

# A key that this request has already tried is available again (a person cleared it meanwhile, or its reset time passed
# at once): the request may try it again, but not in a tight loop.
TRIED_AGAIN_SECONDS: Final = 1.0

# By headroom another key becomes active only if it has so much more left: a new one is a cold prompt cache.
HEADROOM_STEP: Final = 0.05


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
        _refuse_duplicates(keys)
        self.cooldown_seconds = cooldown_seconds
        self.by_headroom = False  # the active key is the one with the most left of its limits, not the first
        self.windows = Windows()
        self.on_change = on_change
        self.rotations: Counter[str] = Counter()  # changes of the active key, by reason
        self._entries: dict[str, KeyEntry] = {key.name: KeyEntry.new(key) for key in keys}
        self.on_news: Callable[[KeyNews], None] = lambda _: None
        self._login = EnvironmentLogin()
        self._given = keys  # as they are configured
        self._withheld: frozenset[str] = frozenset()  # digests of those that are not to be used all the same
        self._turn: str | None = None  # the last active key: rotation goes on from its place
        self._activate_next(None)
        self._told = ToldStates(self._entries)

    # -- asking

    def choose(
        self, now: float, *, model: str | None, prefer: str | None = None, tried: Collection[str] = ()
    ) -> UpstreamKey | NoKeys | WaitForKey | Dead:
        """The key for the next attempt of one request.

        ``prefer``: the key of the conversation so far (its prompt cache is there), kept while it lives. ``tried``: the
        names this request has failed under; empty it after a WaitForKey. Then the active key, then the next ready one
        in file order. WaitForKey: none now, but one is back at ``until``. Dead: only a person can help.
        """
        self.settle(now)
        if not self._entries:
            return self._login.choose(now, tried)
        if self.by_headroom:
            self._activate_roomiest(now)
        for entry in self._in_turn(prefer):
            if entry.usable and entry.key.name not in tried and entry.allows(model, now):
                return entry.key
        return self._nothing_left(now, model)

    def _nothing_left(self, now: float, model: str | None) -> WaitForKey | Dead:
        waits = []
        forbidden = False
        refused = any(entry.state is KeyState.INVALID for entry in self._entries.values())
        for entry in self._entries.values():
            if not entry.usable and entry.state not in TIMED:
                continue
            if not entry.allows(model, now):
                forbidden = True
            elif entry.usable:
                waits.append(WaitForKey(now + TRIED_AGAIN_SECONDS, FailureKind.UNAVAILABLE))
            else:
                spent = entry.state is KeyState.EXHAUSTED
                kind = FailureKind.BILLING if spent else FailureKind.RATE_LIMIT
                waits.append(WaitForKey(entry.until, kind, refused=spent and refused))
        if waits:
            return min(waits, key=lambda wait: wait.until)
        return Dead(FailureKind.MODEL_FORBIDDEN if forbidden else FailureKind.AUTHENTICATION)

    def _in_turn(self, prefer: str | None = None) -> Iterable[KeyEntry]:
        """The preferred key, the active one, then file order going on behind it and around."""
        if prefer is not None and prefer in self._entries:
            yield self._entries[prefer]
        names = list(self._entries)
        start = names.index(self._turn) if self._turn in self._entries else 0
        for name in names[start:] + names[:start]:
            yield self._entries[name]

    def lack(self, now: float, model: str | None) -> WaitForKey | Dead | None:
        """Why no request could be answered now, or None where one could. Changes nothing.

        Unlike for ``choose``, spent credit is Dead: hoping for an hour that somebody pays is not being ready.
        """
        if not self._entries:
            return self._login.lack(now)
        alive = [entry for entry in self._entries.values() if entry.comes_back(now)]
        able = [entry for entry in alive if entry.allows(model, now)]
        if able:
            # Those that can be used have no time; of a limit that is over, it lies behind us.
            soonest = min(entry.until for entry in able)
            return WaitForKey(soonest, FailureKind.RATE_LIMIT) if soonest > now else None
        if alive:
            return Dead(FailureKind.MODEL_FORBIDDEN)
        spent = any(entry.state is KeyState.EXHAUSTED for entry in self._entries.values())
        return Dead(FailureKind.BILLING if spent else FailureKind.AUTHENTICATION)

    def login_failure(self, now: float) -> dict[str, Any] | None:
        """What the login of the daemon's environment last failed by (EnvironmentLogin.snapshot); None with keys."""
        return None if self._entries else self._login.snapshot(now)

    def forget_login(self) -> None:
        """The login of the environment is another one: nothing is known of it, and nothing stands against it."""
        self._login = EnvironmentLogin()
        self.windows.follow({name: name for name in self._entries})

    @property
    def active(self) -> UpstreamKey | None:
        """The key for new conversations, as of the last call with a clock."""
        entry = self._active_entry()
        return entry.key if entry else None

    def __len__(self) -> int:
        return len(self._entries)

    # -- telling

    def succeeded(self, name: str, now: float, tokens: int) -> None:
        """An answer came under key ``name``, costing ``tokens``. A name that was removed meanwhile is ignored."""
        if name == ENVIRONMENT:
            self._login.succeeded()
        elif (entry := self._entries.get(name)) is not None:
            entry.succeed(now, tokens)
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
    ) -> None:
        """A request under key ``name`` failed.

        ``model``: what was asked for, for MODEL_FORBIDDEN. ``reset_at``: when the upstream says the limit ends, seconds
        since the epoch. ``error``: a class and status for the status page, with a redacted word on why.
        ``digest``: UpstreamKey.digest of the key used; a failure of a token that was replaced meanwhile is ignored, as
        is that of a name that was removed.
        """
        if name == ENVIRONMENT:
            self._login.failed(kind, now, reset_at, self.cooldown_seconds, error)
            return
        entry = self._entries.get(name)
        if entry is None or (digest is not None and digest != entry.key.digest):
            return
        changed = entry.fail(kind, now, cooldown=self.cooldown_seconds, model=model, reset_at=reset_at, error=error)
        self._activate_next(kind.value)
        self._tell(error or kind.value, name)
        self.on_change(RingChange.STATE if changed else RingChange.COUNTERS)

    def learn(self, mark: KeyMark, now: float) -> None:
        """Take what another machine has learned of one of our keys. It is for the caller to know that it is news."""
        meant = [entry for entry in self._entries.values() if entry.key.digest == mark.digest]
        changed = [entry for entry in meant if entry.learn(mark, now)]
        if changed:
            self._activate_next(TOLD)
            self._tell(TOLD, changed[0].key.name)
            self.on_change(RingChange.STATE)

    def settle(self, now: float) -> None:
        """Take back keys whose time is over, and see that a ready one is active. Every other call does it first."""
        recovered = [entry for entry in self._entries.values() if entry.recover(now)]
        if self._activate_next("recovered") or recovered:
            self._tell("recovered")
            self.on_change(RingChange.STATE)

    # -- what people do

    def next_active(self, now: float, to: str | None = None) -> str:
        """The key that ``rotate`` would make the active one; its name. UnknownKey, CannotRotate."""
        self.settle(now)
        if to is None:
            ready = (entry for entry in self._in_turn() if entry.state is KeyState.READY)
            entry = next(ready, None)
            if entry is None:
                raise CannotRotate(_why_not(len(self._entries)))
        else:
            entry = self._entry(to)
        if not entry.usable:
            mend = "enable" if entry.state is KeyState.DISABLED else "test"
            raise CannotRotate(
                f"cannot rotate to key {entry.key.name!r}: it is {entry.state.value}; "
                f"`claudegwctl keys {mend} {entry.key.name}` may help"
            )
        return entry.key.name

    def rotate(self, now: float, to: str | None = None) -> str:
        """Make ``to``, or the next ready key, the active one; its name. UnknownKey, CannotRotate.

        Conversations under way stay where they are; disable a key to take them off it.
        """
        name = self.next_active(now, to)
        self._activate(self._entry(name), "asked")
        self._tell("asked")
        self.on_change(RingChange.STATE)
        return name

    def clear(self, name: str) -> None:
        """A person or a test says that the key works. UnknownKey. A disabled key stays disabled."""
        self._entry(name).clear()
        self._activate_next("recovered")
        self._tell("cleared")
        self.on_change(RingChange.STATE)

    def replace(self, keys: Sequence[UpstreamKey], now: float) -> KeysDiff:
        """Take a new list of keys. What a key has lived through stays with it while its token and host do, by another
        name too; a request under way that fails under the old name is then not heard of."""
        _refuse_duplicates(keys)
        self._given = keys
        keys = [with_status(key, KeyStatus.DISABLED) if key.digest in self._withheld else key for key in keys]
        old = self._entries
        renamed = _renamed([entry.key for entry in old.values()], keys)
        differs = KeysDiff.between((entry.key for entry in old.values()), keys)
        if self._turn in renamed.values():
            self._turn = next(new for new, name in renamed.items() if name == self._turn)
        if self._turn in differs.removed:
            self.rotations["changed"] += 1
            # Go on behind the place of the removed one, not at the head of the file.
            behind = (entry.key.name for entry in self._in_turn() if entry.key.name not in differs.removed)
            self._turn = next(behind, None)
        before = {key.name: old.get(renamed.get(key.name, key.name)) for key in keys}
        # Another token has limits of its own.
        same = {key.name: was.key.name for key in keys if (was := before[key.name]) and was.key.digest == key.digest}
        self.windows.follow(same if keys else {ENVIRONMENT: ENVIRONMENT})
        self._entries = {key.name: before[key.name] or KeyEntry.new(key) for key in keys}
        for key in keys:
            self._entries[key.name].become(key)
        self._activate_next("changed")
        self._login = EnvironmentLogin()
        self._tell("changed")
        self.settle(now)
        self.on_change(RingChange.STATE)
        return differs

    def withhold(self, digests: Collection[str], now: float) -> None:
        """Use none of these keys, and all others as they are configured."""
        if self._withheld != frozenset(digests):
            self._withheld = frozenset(digests)
            self.replace(self._given, now)

    # -- for the status and the store

    def snapshot(self, now: float) -> list[dict[str, Any]]:
        """One dict per key in file order (KeyEntry.snapshot), and whether it is withheld. Never a token."""
        self.settle(now)
        return [
            {**entry.snapshot(now), "withheld": entry.key.digest in self._withheld} for entry in self._entries.values()
        ]

    def remembered(self) -> list[RememberedKey]:
        """What has to outlive the process."""
        return [entry.remembered() for entry in self._entries.values()]

    def remember(self, rows: Iterable[RememberedKey], now: float) -> None:
        """Take up what ``remembered`` gave to an earlier run. Call it once, before the first request."""
        for row in rows:
            entry = self._entries.get(row.name)
            if entry is None:
                continue
            entry.remember(row, now)
            if row.state is KeyState.ACTIVE and entry.usable:
                self._activate(entry, None)
        self._activate_next(None)
        self._tell("remembered")

    # -- inside

    def _tell(self, reason: str, about: str | None = None) -> None:
        self._told.tell(self._entries, self.on_news, reason, about)

    def _entry(self, name: str) -> KeyEntry:
        if name not in self._entries:
            raise UnknownKey(f"cannot find key {name!r}; `claudegwctl keys list` shows the names")
        return self._entries[name]

    def _active_entry(self) -> KeyEntry | None:
        return next((entry for entry in self._entries.values() if entry.state is KeyState.ACTIVE), None)

    def _activate(self, entry: KeyEntry, reason: str | None) -> None:
        """Make it the active one; a rotation for this reason, if another was so before (None: no rotation)."""
        current = self._active_entry()
        if current is entry:
            return
        if current is not None:
            current.fire(KeyEvent.PASSED_ON)
        entry.fire(KeyEvent.ACTIVATED)
        if reason is not None and self._turn not in (None, entry.key.name):
            self.rotations[reason] += 1
        self._turn = entry.key.name

    def _activate_next(self, reason: str | None) -> bool:
        """See that a ready key is active if there is one; whether that changed anything."""
        if self._active_entry() is not None:
            return False
        entry = next((entry for entry in self._in_turn() if entry.state is KeyState.READY), None)
        if entry is None:
            return False
        self._activate(entry, reason)
        return True

    def _activate_roomiest(self, now: float) -> None:
        """Make the key active that has the most left of its limits, if the active one has clearly less."""
        active = self._active_entry()
        if active is None:
            return
        usable = [entry for entry in self._entries.values() if entry.usable]
        best = min(usable, key=lambda entry: self.windows.used(entry.key.name, now))
        if self.windows.used(active.key.name, now) - self.windows.used(best.key.name, now) > HEADROOM_STEP:
            self._activate(best, "headroom")
            self._tell("headroom")
            self.on_change(RingChange.STATE)


def _refuse_duplicates(keys: Sequence[UpstreamKey]) -> None:
    names = [key.name for key in keys]
    if len(set(names)) != len(names):
        raise ValueError("cannot build a key ring: two keys have the same name")


def _why_not(count: int) -> str:
    if count == 0:
        return "cannot rotate: no keys are configured; add one with `claudegwctl keys add NAME`"
    return "cannot rotate: no other key is ready; `claudegwctl keys list` shows their states"


def _renamed(old: Sequence[UpstreamKey], new: Sequence[UpstreamKey]) -> dict[str, str]:
    """The old name by the new one of each key that goes on under another."""
    names, gone = {key.name for key in old}, {key.name for key in old} - {key.name for key in new}
    before = {key.digest: key.name for key in old if key.name in gone}
    return {key.name: before.pop(key.digest) for key in new if key.name not in names and key.digest in before}
