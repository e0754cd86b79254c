"""Messages cross the wire as CDR."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from omnibind_ros.messages.cdr import deserialise, serialise


@pytest.fixture
def over_the_wire() -> Callable[[Any], Any]:
    """Send a message through CDR and back."""

    def send(message: Any) -> Any:
        name = message.__msgtype__
        return deserialise(bytes(serialise(message, name)), name)

    return send


@pytest.fixture
def vector() -> Callable[..., NDArray[np.float32]]:
    """A function D -> a random unit vector."""

    def make(dim: int, seed: int = 0) -> NDArray[np.float32]:
        values = np.random.default_rng(seed).standard_normal(dim).astype(np.float32)
        unit: NDArray[np.float32] = values / np.linalg.norm(values)
        return unit

    return make
