"""A kept response in its stored form, before it is sealed: on this machine's disk, and for other machines."""

import msgspec

from claudegwd.store.responses import KeptResponse


class StoredResponse(msgspec.Struct, array_like=True):
    """Fields may be added at the end: other machines may be older, and so may what is on disk."""

    owner: str
    ident: str
    previous: str | None
    body: bytes
    items: bytes
    ids: tuple[str, ...]
    made: float = 0.0  # seconds since the epoch; only for the disk

    @classmethod
    def of(cls, owner: str, kept: KeptResponse, made: float = 0.0) -> "StoredResponse":
        """The stored form."""
        return cls(owner, kept.ident, kept.previous, kept.body, kept.items, kept.ids, made)

    def kept(self) -> KeptResponse:
        """From the stored form."""
        return KeptResponse(self.ident, self.previous, self.body, self.items, self.ids)
