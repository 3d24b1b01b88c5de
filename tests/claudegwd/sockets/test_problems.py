from __future__ import annotations

from claudegwd.config import ConfigError
from claudegwd.sockets.problems import SocketError


def test_it_is_no_error_of_the_configuration() -> None:
    # Exit status 1 and a restart, not 78 and none.
    assert not issubclass(SocketError, ConfigError)
    assert str(SocketError("cannot listen")) == "cannot listen"
