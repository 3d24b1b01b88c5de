"""The listeners: TCP for the public face, a Unix socket for control."""

from claudegwd.sockets.control import ControlSocket, open_control
from claudegwd.sockets.problems import SocketError
from claudegwd.sockets.public import Listener, PublicListeners, open_public

__all__ = ["ControlSocket", "Listener", "PublicListeners", "SocketError", "open_control", "open_public"]
