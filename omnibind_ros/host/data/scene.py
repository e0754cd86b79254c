"""One scene: one digit, seen, heard and felt by every sensor at once.

Nothing is replayed: each call is a new repetition by another hand or voice, so a sensor in a simulated
scene is never stuck, and any number of different samples can be drawn to train on.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from omnibind_ros.errors import ConfigError
from omnibind_ros.modalities.audio.simulation import simulate_audio
from omnibind_ros.modalities.event.simulation import simulate_event
from omnibind_ros.modalities.image.simulation import simulate_image
from omnibind_ros.modalities.point_cloud.simulation import simulate_point_cloud
from omnibind_ros.modalities.text.simulation import simulate_text
from omnibind_ros.modalities.thermal.simulation import simulate_thermal
from omnibind_ros.modalities.touch.simulation import simulate_touch
from omnibind_ros.types import Modality

Simulator = Callable[[int, np.random.Generator], Any]

SIMULATORS: dict[Modality, Simulator] = {
    "image": simulate_image,
    "text": simulate_text,
    "audio": simulate_audio,
    "event": simulate_event,
    "touch": simulate_touch,
    "thermal": simulate_thermal,
    "point_cloud": simulate_point_cloud,
}
"""The raw sample of each modality, given a label 0-9 and a random generator."""


class Scene:
    """A digit in front of a robot.

    The same `label` and `seed` give the same samples; each modality has a random stream of its own, so the
    order in which sensors are read does not matter.
    """

    def __init__(self, label: int, seed: int = 0) -> None:
        if label not in range(10):
            raise ConfigError(f"simulated scene: label {label!r} is not a digit; use 0 to 9")
        self.label = label
        streams = np.random.SeedSequence([seed, label]).spawn(len(SIMULATORS))
        self._streams = dict(zip(SIMULATORS, map(np.random.default_rng, streams), strict=True))

    def sample(self, modality: Modality) -> Any:
        """A new raw sample. Raises ConfigError for a modality that is not simulated."""
        if modality not in SIMULATORS:
            raise ConfigError(
                f"no simulated sensor for modality '{modality}'; there are: {', '.join(SIMULATORS)}"
            )
        return SIMULATORS[modality](self.label, self._streams[modality])
