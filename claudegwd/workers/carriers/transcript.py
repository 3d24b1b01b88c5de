"""What a CLI process holds of a conversation: the digests of its entries, and where it can be cut."""

from dataclasses import dataclass, field


@dataclass(slots=True)
class Transcript:
    """Pure. Each entry has the digest of the conversation up to it; `uuids` has the uuid of its user line, or None for
    answers and for results, before which the CLI cannot cut (observed). `last_lines`: the uuid of its last user line,
    which may have asked its question again; None for answers and for mid-turn results."""

    digests: list[bytes] = field(default_factory=list)
    uuids: list[str | None] = field(default_factory=list)
    last_lines: list[str | None] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.digests)

    def add(self, digest: bytes, uuid: str | None = None, *, results: bool = False) -> None:
        """`results`: it has results of tools."""
        self.digests.append(digest)
        self.uuids.append(None if results else uuid)
        self.last_lines.append(uuid)

    def ask_again(self, uuid: str) -> None:
        """The last question is asked again, by a line with this uuid, which is no entry of its own."""
        self.last_lines[-1] = uuid

    def cut_point(self, most: int) -> int:
        """The longest prefix of at most `most` entries that it can be cut back to; 0 is an empty conversation."""
        return next((index for index in range(min(most, len(self) - 1), 0, -1) if self.uuids[index] is not None), 0)

    def cut(self, length: int) -> None:
        """Keep only the first entries."""
        del self.digests[length:]
        del self.uuids[length:]
        del self.last_lines[length:]

    @property
    def last_uuid(self) -> str:
        """The uuid of the last user line; "" if there is none."""
        return next((uuid for uuid in reversed(self.last_lines) if uuid is not None), "")
