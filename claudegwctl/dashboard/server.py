"""The web server of one dashboard, on loopback: a thread per connection, and a limited number of them."""

from __future__ import annotations

import errno
import os
import socket
import threading
from typing import Final

from claudegwctl.dashboard import assets
from claudegwctl.dashboard.access import Access
from claudegwctl.dashboard.answers import Answers
from claudegwctl.dashboard.connection import serve_connection
from claudegwctl.dashboard.exchange import DashboardRequest, Response, refusal
from claudegwctl.output import note
from claudegwctl.problems import Problem

# A browser opens six at a time, so this is enough for a few windows. Others wait in the kernel's queue.
MAX_CONNECTIONS: Final = 24
BACKLOG: Final = 24
_API: Final = "api/"


def listen(port: int) -> socket.socket:
    """A socket on this loopback port; 0: a free one. Raises Problem."""
    try:
        return socket.create_server(("127.0.0.1", port), backlog=BACKLOG)
    except OSError as error:
        # create_server adds the address to the error's text.
        why = "it is in use" if error.errno == errno.EADDRINUSE else os.strerror(error.errno or errno.EIO)
        raise Problem(f"cannot listen on port {port}: {why}; omit --port to pick a free one") from None


class DashboardServer:
    def __init__(self, access: Access, answers: Answers) -> None:
        self._access = access
        self._answers = answers
        self._files = assets.load()
        self._slots = threading.BoundedSemaphore(MAX_CONNECTIONS)

    def serve(self, listener: socket.socket) -> None:
        """Serve until an exception, such as KeyboardInterrupt. Open connections end with the process."""
        while True:
            self._slots.acquire()
            try:
                sock, _ = listener.accept()
            except ConnectionAbortedError:
                self._slots.release()
                continue
            threading.Thread(target=self._connection, args=(sock,), daemon=True).start()

    def _connection(self, sock: socket.socket) -> None:
        try:
            with sock:
                serve_connection(sock, self.answer)
        finally:
            self._slots.release()

    def answer(self, request: DashboardRequest) -> Response:
        """The answer to one request, whoever sent it."""
        try:
            return self._answer(request)
        except Exception as error:  # noqa: BLE001 - the boundary of a request: the server keeps running
            note(f"cannot answer the page: {type(error).__name__}")
            return refusal(500, "cannot answer: internal error; see the terminal the dashboard runs in")

    def _answer(self, request: DashboardRequest) -> Response:
        if request.method not in ("GET", "POST"):
            return refusal(405, "cannot use this method: send GET or POST")
        refused = self._access.check(request)
        if refused is not None:
            return refused
        name = request.path.removeprefix(self._access.place)
        if name.startswith(_API):
            return self._answers.answer(name.removeprefix(_API), request)
        found = self._files.get(name) if request.method == "GET" else None
        return found or refusal(404, "cannot find this: reload the page")
