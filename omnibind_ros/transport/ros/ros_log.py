"""What the package logs goes to the node's logger, and so to the console, `/rosout` and the log files."""

from __future__ import annotations

import logging
from typing import Any

_PACKAGE = "omnibind_ros"


class RosLogHandler(logging.Handler):
    """Hands records of the package over to a node's logger."""

    def __init__(self, logger: Any) -> None:
        super().__init__()
        self._logger = logger
        self.setFormatter(logging.Formatter("%(message)s"))

    def install(self) -> None:
        """Take all records from now on; levels are decided by ROS 2 (`--log-level`)."""
        package = logging.getLogger(_PACKAGE)
        package.handlers = [self]
        package.setLevel(logging.DEBUG)
        package.propagate = False

    def emit(self, record: logging.LogRecord) -> None:
        text = self.format(record)
        # rclpy insists on one severity per line of code.
        if record.levelno >= logging.ERROR:
            self._logger.error(text)
        elif record.levelno >= logging.WARNING:
            self._logger.warning(text)
        elif record.levelno >= logging.INFO:
            self._logger.info(text)
        else:
            self._logger.debug(text)
