"""A simulated scene: one digit, sensed by every simulated sensor at once.

Each call simulates a new repetition by another hand or voice, so that simulated sensors are never stuck and
any number of different samples can be drawn for training.
"""

from __future__ import annotations

from typing import Any
from zlib import crc32

import numpy as np

from omnibind_ros.errors import ConfigError
from omnibind_ros.modalities.definition import Simulate
from omnibind_ros.modalities.registry import ORDER, find, having
from omnibind_ros.names import nearest
from omnibind_ros.types import Modality


class Scene:
    """A digit in front of a robot.

    The same `label` and `seed` give the same samples; each modality has a random stream of its own, so the
    order in which sensors are read does not matter.

    Raises:
        ConfigError: the label is not an integer from 0 to 9.
    """

    def __init__(self, label: int, seed: int = 0) -> None:
        if label not in range(10):
            raise ConfigError(f"simulated scene: label {label!r} is not a digit; use 0 to 9")
        self.label = label
        self._seed = seed
        self._streams: dict[Modality, np.random.Generator] = {}

    def sample(self, modality: Modality) -> Any:
        """A new raw sample. Raises ConfigError for a modality that is not simulated."""
        simulate = simulator(modality)
        if modality not in self._streams:
            self._streams[modality] = np.random.default_rng(self._stream(modality))
        return simulate(self.label, self._streams[modality])

    def _stream(self, modality: Modality) -> np.random.SeedSequence:
        number = ORDER.index(modality) if modality in ORDER else crc32(modality.encode())
        return np.random.SeedSequence([self._seed, self.label], spawn_key=(number,))


def simulator(modality: Modality) -> Simulate:
    """The simulation of a modality.

    Raises:
        ConfigError: it has none.
    """
    known = find(modality)
    if known is None or known.simulate is None:
        raise ConfigError(f"modality {modality!r} is not simulated{nearest(modality, having('simulate'))}")
    return known.simulate.load()
