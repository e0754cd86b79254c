"""Messages cross the wire as CDR."""

from __future__ import annotations

import numpy as np
import pytest

from omnibind_ros.messages.cdr import deserialise, serialise
from omnibind_ros.messages.types import TYPES, MessageTypes


@pytest.fixture
def types() -> MessageTypes:
    return TYPES


@pytest.fixture
def over_the_wire():
    """Send a message through CDR and back."""

    def send(message):
        name = message.__msgtype__
        return deserialise(bytes(serialise(message, name)), name)

    return send


@pytest.fixture
def vector():
    """A function D -> a random unit vector."""

    def make(dim, seed=0):
        values = np.random.default_rng(seed).standard_normal(dim).astype(np.float32)
        return values / np.linalg.norm(values)

    return make
