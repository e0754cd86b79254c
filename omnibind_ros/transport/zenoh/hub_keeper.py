"""The hub keeper: why processes find each other with nothing configured and nothing started beforehand.

Processes meet at the hub, a Zenoh router at a fixed loopback address. Every process runs a keeper; whenever
its own session has no link to the hub, it tries to open the hub itself. Binding the address elects exactly
one holder. When the holder dies, the links to it break at once and the next keeper to look takes over; peers
that have met keep their direct links all the while.
"""

from __future__ import annotations

import logging
import threading
import time

import zenoh

from omnibind_ros.errors import TransportError
from omnibind_ros.transport.zenoh.session import Network, open_hub

_PERIOD_S = 0.1
_PATIENCE_S = 5.0

_log = logging.getLogger(__name__)


class HubKeeper:
    """Keeps a hub open at `network.hub` for as long as it runs, whichever process holds it."""

    def __init__(self, network: Network) -> None:
        """Opens the hub at once if nobody has it: a session opened next finds it on its first attempt."""
        self._network = network
        self._hub: zenoh.Session | None = None
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._try_to_open()

    @property
    def holds_hub(self) -> bool:
        """Whether this process holds the hub now."""
        return self._hub is not None

    def watch(self, session: zenoh.Session) -> None:
        """From now on, look every 100 ms whether `session` still has its link to the hub."""
        if self._network.hub_is_here:
            self._thread = threading.Thread(target=self._run, args=(session,), name="hub_keeper", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Stop watching, and leave the hub to another process if this one holds it."""
        self._stop.set()
        if self._thread:
            self._thread.join()
        if self._hub:
            self._hub.close()
            self._hub = None

    def _run(self, session: zenoh.Session) -> None:
        last_linked = time.monotonic()
        while self._hub is None and not self._stop.wait(_PERIOD_S):
            if self._linked(session):
                last_linked = time.monotonic()
                continue
            self._try_to_open()
            if self._hub is None and time.monotonic() - last_linked > _PATIENCE_S:
                last_linked = float("inf")
                _log.warning(
                    "nobody answers as a Zenoh router at %s, and it cannot be opened here: "
                    "is another program using that port?",
                    self._network.hub,
                )

    def _linked(self, session: zenoh.Session) -> bool:
        return any(str(link.dst) == self._network.hub for link in session.info.links())

    def _try_to_open(self) -> None:
        if not self._network.hub_is_here:
            return
        try:
            self._hub = open_hub(self._network)
        except TransportError:
            self._hub = None  # another process was first
