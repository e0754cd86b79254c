"""Where message classes come from: the one thing that differs between a ROS 2 machine and one without.

`rclpy` and `rosbags` classes have the same fields and both take all of them as keyword arguments, so the
rest of this room is written once. What they disagree about is held here: how a class is found by name, and
what a `uint8[]` field wants (`rosbags` a numpy array, `rclpy` an `array.array("B")`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class MessageTypes:
    """The message classes of one middleware.

    Example:
        `types["sensor_msgs/msg/Image"](header=..., height=..., ...)`

    Attributes:
        find: class of a type name such as `sensor_msgs/msg/Image`; asked once a name.
        to_bytes: uint8 [n], contiguous -> what a `uint8[]` field of these classes wants.
    """

    find: Callable[[str], Any]
    to_bytes: Callable[[NDArray[np.uint8]], Any]
    _found: dict[str, Any] = field(default_factory=dict, init=False, repr=False)

    def __getitem__(self, name: str) -> Any:
        """The class of the message type `pkg/msg/Name`."""
        try:
            return self._found[name]
        except KeyError:
            return self._found.setdefault(name, self.find(name))
