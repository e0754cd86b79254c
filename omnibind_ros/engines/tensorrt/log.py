"""Forwards TensorRT's log to Python's logging, and keeps its last errors for our error messages."""

from __future__ import annotations

import logging
from collections import deque
from typing import Any

log = logging.getLogger(__name__)

_REMEMBERED = 4


def make_log(api: Any) -> Any:
    """An `ILogger` of the given `tensorrt` module with an additional method `complaints() -> str`."""
    levels = {
        api.ILogger.Severity.INTERNAL_ERROR: logging.ERROR,
        api.ILogger.Severity.ERROR: logging.ERROR,
        api.ILogger.Severity.WARNING: logging.INFO,  # most of its warnings are harmless
        api.ILogger.Severity.INFO: logging.DEBUG,
        api.ILogger.Severity.VERBOSE: logging.DEBUG,
    }

    class Log(api.ILogger):  # type: ignore[misc]
        def __init__(self) -> None:
            api.ILogger.__init__(self)
            self._errors: deque[str] = deque(maxlen=_REMEMBERED)

        def log(self, severity: Any, msg: str) -> None:
            """Called by TensorRT on any of its threads."""
            level = levels.get(severity, logging.ERROR)
            if level == logging.ERROR:
                self._errors.append(" ".join(msg.split()))
            log.log(min(level, logging.INFO), "%s", msg)  # the caller of `complaints` reports errors

        def complaints(self) -> str:
            """The last errors as one line; clears them."""
            errors = list(dict.fromkeys(self._errors))
            self._errors.clear()
            return "; ".join(errors) or "TensorRT gave no reason"

    return Log()
