"""What quantising an encoder needs to know beside its weights: kept, so that it can be repeated without data.

encoder_sha256: a171...
inputs: {split: train, n: 256, sha256: 4bf5...}
ranges:
  percentile: {audio: [-1.0, 1.0], ...}
forms:
  u8s8: {method: percentile, keep: [], judged_on: dev, n: 167, loss_points: 0.0, error: 0.0003, ...}
measured:
  u8s8: {accuracy: 0.9631, n: 705, split: test, trained_on: train}

No recording can be told from it: of what the encoder was shown, only the range of each tensor is kept.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field, Strict

from omnibind_ros.bundle.manifest import Measured
from omnibind_ros.config.strict_yaml import StrictModel, dump_yaml, read_yaml
from omnibind_ros.host.export.quantization import Ranges

_Names = Annotated[tuple[str, ...], Strict(False)]


class CalibrationInputs(StrictModel):
    """Which inputs the ranges were taken from."""

    split: str
    n: int
    sha256: str
    """of the prepared inputs, one after the other"""


class FormRecord(StrictModel):
    """How one 8 bit form is made, and what the search for it saw; see `quantization_policy.Policy`."""

    method: str
    keep: _Names = ()
    judged_on: str
    n: int
    loss_points: float
    error: float
    errors_by_method: dict[str, float] = Field(default_factory=dict)
    errors_by_layer: dict[str, float] = Field(default_factory=dict)


class QuantizationRecord(StrictModel):
    """One encoder of one bundle."""

    encoder_sha256: str
    """of its float32 file"""
    inputs: CalibrationInputs
    ranges: dict[str, dict[str, Annotated[tuple[float, float], Strict(False)]]]
    """by method, lowest and highest value of every tensor"""
    forms: dict[str, FormRecord]
    measured: dict[str, Measured]

    @staticmethod
    def read(path: Path) -> QuantizationRecord:
        """Read what `write` wrote.

        Raises:
            ConfigError: it is damaged; names file, line and key.
        """
        return read_yaml(path).validate(QuantizationRecord)

    def write(self, path: Path) -> None:
        """Write it as YAML."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dump_yaml(self.model_dump(mode="json")))


def exact(ranges: Ranges) -> dict[str, tuple[float, float]]:
    """Ranges with as many digits as float32 has, so that what is read back is what was written."""
    return {name: (float(f"{low:.9g}"), float(f"{high:.9g}")) for name, (low, high) in ranges.items()}
