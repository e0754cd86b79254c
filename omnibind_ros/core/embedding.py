"""What every encoder says and fusion hears: one point on the unit sphere of the common space."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from omnibind_ros.core.errors import BadMessage
from omnibind_ros.core.modality import Modality
from omnibind_ros.core.space import Space

_UNIT_TOLERANCE = 1e-2


@dataclass(frozen=True, eq=False)
class Embedding:
    """The embedding of one sample.

    Attributes:
        sensor: name of the sensor it comes from.
        modality: kind of signal.
        vector: float32 [D], unit norm.
        stamp: when the sample ended, ns since the epoch (the sensor's stamp, not the encoder's).
        space: `Space.tag` of the space the vector lives in.
        quality: signal checks of the sample, 0 (useless) to 1 (nothing to complain about).
        evidence: how sure the encoder is: log of the scale s at which softmax(s cosines) is as sure as it is
            right; where nothing better is known, log of the output's norm before normalisation.
        frame_id: the sensor's coordinate frame, passed through.
    """

    sensor: str
    modality: Modality
    vector: NDArray[np.float32]
    stamp: int
    space: int
    quality: float = 1.0
    evidence: float = 0.0
    frame_id: str = ""

    def check(self, space: Space) -> None:
        """Refuse what fusion must not see.

        Raises:
            BadMessage: wrong space, wrong size, not finite, or not of unit norm.
        """
        problem = self._problem(space)
        if problem:
            raise BadMessage(f"embedding of sensor {self.sensor!r} ({self.modality}): {problem}")

    def _problem(self, space: Space) -> str | None:
        if self.space != space.tag:
            return (
                f"it lives in space {self.space:#010x}, fusion in {space.tag:#010x} ({space.id}); "
                "start this encoder from the same bundle as fusion"
            )
        if self.vector.shape != (space.dim,):
            return f"it has shape {self.vector.shape}, the space {space.id!r} needs ({space.dim},)"
        norm = float(np.sqrt(np.dot(self.vector, self.vector)))
        if not np.isfinite(norm) or not np.isfinite(self.evidence) or not np.isfinite(self.quality):
            return "it is not finite; check the encoder's input"
        if abs(norm - 1.0) > _UNIT_TOLERANCE:
            return f"its norm is {norm:.3g}, not 1; the encoder must normalise"
        return None
