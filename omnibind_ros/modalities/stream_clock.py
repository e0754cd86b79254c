"""The time of a stream's messages: their own stamps while these are plausible, else the time of receipt.

Drivers repeat one stamp for ever, leave it unset, or take microseconds for nanoseconds. On such stamps a
window never fills, or begins afresh with every message. Stamps are therefore compared with the time of
receipt, second by second: a wrong unit is off by a factor of a thousand, a recording played faster or slower
by much less. A single jump (a looping recording, a pause, a clock that is set) is not a fault.
"""

from __future__ import annotations

_OBSERVED_NS = 1_000_000_000
"""time of receipt after which stamps are judged"""
_PLAUSIBLE = 30
"""largest factor between stamps and time of receipt"""


class StreamClock:
    """Times the messages of one driver, in order.

    Args:
        longest_gap_ns: messages further apart are not compared.

    Attributes:
        fault: why stamps are not used; empty while they are.
    """

    def __init__(self, longest_gap_ns: int) -> None:
        self.fault = ""
        self._longest_gap = longest_gap_ns
        self._stamp = self._received = 0
        self._begin_observation()

    def time(self, stamp: int, received: int) -> int:
        """The time of the next message.

        Args:
            stamp: ns since the epoch, as the message has it; 0: unset.
            received: ns since the epoch; 0: unknown.

        Returns:
            `received` if it is known and the stamp is unset or at fault, else `stamp`.
        """
        if stamp:
            self._observe(stamp, received)
        return received if received and (self.fault or not stamp) else stamp

    def _begin_observation(self) -> None:
        self._elapsed = self._advanced = self._changed = 0

    def _observe(self, stamp: int, received: int) -> None:
        elapsed, changed = received - self._received, stamp - self._stamp
        self._stamp, self._received = stamp, received
        if not 0 <= elapsed <= self._longest_gap:
            return
        self._elapsed += elapsed
        self._changed += changed
        if 0 <= changed <= self._longest_gap:
            self._advanced += changed
        if self._elapsed >= _OBSERVED_NS:
            self._judge()
            self._begin_observation()

    def _judge(self) -> None:
        self.fault = ""
        if not self._elapsed / _PLAUSIBLE <= self._advanced <= self._elapsed * _PLAUSIBLE:
            changed, elapsed = self._changed / 1e9, self._elapsed / 1e9
            self.fault = (
                f"stamps changed by {changed:.3g} s in {elapsed:.1f} s, so the time of receipt is used: "
                "correct the driver's clock or its unit"
            )
