"""The fixtures of the end-to-end tests: a daemon for each module, an endpoint for each test."""

from tests.e2e.conftest import daemon, gateway

__all__ = ["daemon", "gateway"]
