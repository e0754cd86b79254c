"""The router keeper: why processes find each other with nothing configured and nothing started beforehand.

Processes meet at a Zenoh router at a fixed loopback address. Every process runs a keeper; whenever its own
session has no link to the router, the keeper tries to open one. Binding the address elects exactly one
process. When that process dies, the links to it break at once and the next keeper to look takes over; peers
that have met keep their direct links all the while.
"""

from __future__ import annotations

import logging
import threading
import time

import zenoh

from omnibind_ros.errors import TransportError
from omnibind_ros.transport.zenoh.session import Network, open_router

_PERIOD_S = 0.1
_PATIENCE_S = 5.0

_log = logging.getLogger(__name__)


class RouterKeeper:
    """Keeps a router open at `network.router` for as long as it runs, in whichever process."""

    def __init__(self, network: Network) -> None:
        """Open the router at once if there is none: a session opened next finds it at its first attempt."""
        self._network = network
        self._router: zenoh.Session | None = None
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._try_to_open()

    @property
    def holds_router(self) -> bool:
        """Whether this process runs the router now."""
        return self._router is not None

    def watch(self, session: zenoh.Session) -> None:
        """From now on, check every 100 ms that `session` has its link to the router."""
        if self._network.router_is_here:
            self._thread = threading.Thread(
                target=self._run, args=(session,), name="router_keeper", daemon=True
            )
            self._thread.start()

    def close(self) -> None:
        """Stop checking, and leave the router to another process if this one runs it."""
        self._stop.set()
        if self._thread:
            self._thread.join()
        if self._router:
            self._router.close()
            self._router = None

    def _run(self, session: zenoh.Session) -> None:
        last_linked = time.monotonic()
        while self._router is None and not self._stop.wait(_PERIOD_S):
            if self._linked(session):
                last_linked = time.monotonic()
                continue
            self._try_to_open()
            if self._router is None and time.monotonic() - last_linked > _PATIENCE_S:
                last_linked = float("inf")
                _log.warning(
                    "no Zenoh router answers at %s, and none can be opened there: another program may use "
                    "the port; set OMNIBIND_ROUTER to another address",
                    self._network.router,
                )

    def _linked(self, session: zenoh.Session) -> bool:
        return any(str(link.dst) == self._network.router for link in session.info.links())

    def _try_to_open(self) -> None:
        if not self._network.router_is_here:
            return
        try:
            self._router = open_router(self._network)
        except TransportError:
            self._router = None  # another process has it
