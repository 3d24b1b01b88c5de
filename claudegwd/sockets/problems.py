"""The one error of a listener that cannot be opened. The daemon answers it with exit status 1."""

from __future__ import annotations


class SocketError(Exception):
    """Its text begins "cannot …" and says what to do."""
