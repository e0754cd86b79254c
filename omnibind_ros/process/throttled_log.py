"""Warnings that may come with every message, logged at a limited rate."""

from __future__ import annotations

import logging
from collections.abc import Callable
from time import monotonic


class ThrottledLog:
    """Logs the first warning of a kind at once, then one every `period_s`, with the number left out."""

    def __init__(
        self, logger: logging.Logger, period_s: float = 5.0, clock: Callable[[], float] = monotonic
    ) -> None:
        self._logger = logger
        self._period = period_s
        self._clock = clock
        self._last: dict[str, float] = {}
        self._left_out: dict[str, int] = {}

    def warning(self, kind: str, text: str, *, exc_info: bool = False) -> None:
        """Warn, unless one of this `kind` was logged less than a period ago."""
        now = self._clock()
        last = self._last.get(kind)
        if last is not None and now - last < self._period:
            self._left_out[kind] = self._left_out.get(kind, 0) + 1
            return
        self._last[kind] = now
        left_out = self._left_out.pop(kind, 0)
        self._logger.warning("%s%s", text, f" (and {left_out} more)" if left_out else "", exc_info=exc_info)
