"""The error for a listener that cannot be opened. The daemon exits with status 1."""

from __future__ import annotations


class SocketError(Exception):
    """Its text begins "cannot …" and says what to do."""
