"""Quantization records: everything besides the weights that is needed to repeat a quantization without data.

encoder_sha256: a171...
inputs: {split: train, n: 256, sha256: 4bf5...}
ranges:
  percentile: {audio: [-1.0, 1.0], ...}
forms:
  u8s8: {method: percentile, keep: [], judged_on: dev, n: 167, loss_points: 0.0, error: 0.0003, ...}
measured:
  u8s8: {accuracy: 0.9631, n: 705, split: test, trained_on: train}

Recordings cannot be recovered from a record: of the model inputs it has only the range of each tensor.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field, Strict

from omnibind_ros.bundle.manifest import Measured
from omnibind_ros.config.strict_yaml import StrictModel, dump_yaml, read_yaml
from omnibind_ros.host.export.quantization import Ranges

_Names = Annotated[tuple[str, ...], Strict(False)]


class RangeInputs(StrictModel):
    """The inputs from which the ranges were taken."""

    split: str
    n: int
    sha256: str
    """of the concatenated model inputs"""


class FormRecord(StrictModel):
    """How one 8 bit form is made, and the search for it; see `quantization_policy.Policy`."""

    method: str
    keep: _Names = ()
    judged_on: str
    n: int
    loss_points: float
    error: float
    errors_by_method: dict[str, float] = Field(default_factory=dict)
    errors_by_layer: dict[str, float] = Field(default_factory=dict)


class QuantizationRecord(StrictModel):
    """The record of one encoder of one bundle."""

    encoder_sha256: str
    """of the encoder's float32 file"""
    inputs: RangeInputs
    ranges: dict[str, dict[str, Annotated[tuple[float, float], Strict(False)]]]
    """by method, lowest and highest value of every tensor"""
    forms: dict[str, FormRecord]
    measured: dict[str, Measured]

    @staticmethod
    def read(path: Path) -> QuantizationRecord:
        """Read a record.

        Raises:
            ConfigError: it is not valid; the message names file, line and key.
        """
        return read_yaml(path).validate(QuantizationRecord)

    def write(self, path: Path) -> None:
        """Write the record as YAML."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dump_yaml(self.model_dump(mode="json")))


def exact(ranges: Ranges) -> dict[str, tuple[float, float]]:
    """Ranges with nine digits, which identify a float32, so that a written record reads back unchanged."""
    return {name: (float(f"{low:.9g}"), float(f"{high:.9g}")) for name, (low, high) in ranges.items()}
