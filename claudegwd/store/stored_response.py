"""A kept response as it is written down, before it is sealed: on this machine's disk, and for other machines."""

import msgspec

from claudegwd.store.responses import KeptResponse


class StoredResponse(msgspec.Struct, array_like=True):
    """Fields may be added at the end: other machines may be older, and so may what is on the disk."""

    owner: str
    ident: str
    previous: str | None
    body: bytes
    items: bytes
    ids: tuple[str, ...]
    made: float = 0.0  # seconds since the epoch; only for the disk

    @classmethod
    def of(cls, owner: str, kept: KeptResponse, made: float = 0.0) -> "StoredResponse":
        """What is written of it."""
        return cls(owner, kept.ident, kept.previous, kept.body, kept.items, kept.ids, made)

    def kept(self) -> KeptResponse:
        """What was written."""
        return KeptResponse(self.ident, self.previous, self.body, self.items, self.ids)
