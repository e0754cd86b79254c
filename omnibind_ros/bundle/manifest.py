"""`bundle.yaml`: the files of a bundle, and everything that a robot needs to use them.

format_version: 1
name: digits
space: {id: all-MiniLM-L6-v2/digits/1, dim: 384}
encoders:
  audio:
    precisions:
      fp32: {file: audio.fp32.onnx, sha256: 9f86..., size_bytes: 1234}
      u8s8: {file: audio.u8s8.onnx, sha256: 6030..., measured: {accuracy: 0.96, n: 600, split: test}}
    default_precision: u8s8
    input: {name: audio, shape: [1, 1, 40, 98], dtype: float32}
    preprocessing: {rate: 8000, window_s: 1.0}
    metrics: {accuracy: 0.96, n: 600}
fusion: {file: fusion.onnx, sha256: ..., modalities: [image, text, audio], max_sensors: 16}
labels: {file: labels.npz, sha256: ...}
calibration: {scale_by_count: [14.0, 11.5], unknown_threshold: 0.35}
provenance: {data: [{name: FSDD, licence: CC-BY-SA-4.0}], tools: {torch: 2.4.0}, created: 2025-01-31}
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, JsonValue, Strict, model_validator

from omnibind_ros.bundle.temperature_scaling import TemperatureScaling
from omnibind_ros.config.resources import sha256_of
from omnibind_ros.config.strict_yaml import StrictModel, dump_yaml
from omnibind_ros.types import Modality

FORMAT_VERSION = 1
"""The newest bundle format that this package can read."""

Dtype = Literal["float32", "uint8", "int64"]


def _inside_the_bundle(file: str) -> str:
    if PurePosixPath(file).is_absolute() or PureWindowsPath(file).drive or "\\" in file:
        raise ValueError(f"{file!r} must be a relative path with '/' between folders")
    if ".." in PurePosixPath(file).parts:
        raise ValueError(f"{file!r} is outside the bundle's folder; move the file into it")
    if PurePosixPath(file) == PurePosixPath("."):
        raise ValueError("names no file")
    return file


class BundleFile(StrictModel):
    """One file of the bundle, with its checksum."""

    file: Annotated[str, AfterValidator(_inside_the_bundle)]
    """path inside the bundle's folder"""
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    size_bytes: Annotated[int, Field(ge=0)] | None = None

    @staticmethod
    def describe(folder: Path, file: str) -> dict[str, Any]:
        """`file`, `sha256` and `size_bytes` of a file in `folder`."""
        return {
            "file": file,
            "sha256": sha256_of(folder / file),
            "size_bytes": (folder / file).stat().st_size,
        }


class Measured(StrictModel):
    """The measured accuracy of an encoder in one precision."""

    accuracy: Annotated[float, Field(ge=0, le=1)]
    n: Annotated[int, Field(ge=1)]
    split: str
    """split of the recordings that it was measured on, e.g. `test`"""
    trained_on: str = ""
    """split that the measured encoder was trained on, if not that of the bundle"""


class PrecisionFile(BundleFile):
    """An encoder in one precision."""

    measured: Measured | None = None


class ModelInput(StrictModel):
    """The one input tensor of an encoder."""

    name: str
    shape: Annotated[tuple[Annotated[int, Field(ge=1)], ...], Strict(False)]
    """with the leading batch axis of 1"""
    dtype: Dtype = "float32"


class EncoderEntry(StrictModel):
    """The encoder of one modality, in one or more precisions."""

    precisions: Annotated[dict[str, PrecisionFile], Field(min_length=1)]
    """fp32; fp16 and int8 (symmetric Q/DQ) for TensorRT; u8s8 (uint8 activations, int8 weights) for CPUs"""
    default_precision: str = "fp32"
    """the default on a CPU"""
    input: ModelInput
    preprocessing: dict[str, JsonValue] = Field(default_factory=dict)
    """constants of the modality's preprocessor, which validates them"""
    space: str | None = None
    """id of the space that it was trained into; must be that of the bundle"""
    metrics: dict[str, JsonValue] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _default_exists(self) -> EncoderEntry:
        if self.default_precision not in self.precisions:
            raise ValueError(
                f"default_precision {self.default_precision!r} is none of {', '.join(self.precisions)}"
            )
        return self

    def precision_for(self, backend: str) -> str:
        """The default precision of a backend; TensorRT cannot read u8s8."""
        if backend == "tensorrt":
            return "fp16" if "fp16" in self.precisions else "fp32"
        return self.default_precision


class FusionEntry(BundleFile):
    """The Adaptive Fusion step."""

    modalities: Annotated[tuple[Modality, ...], Strict(False)]
    """in the order of their ids, from 0; the next id stands for all other modalities"""
    max_sensors: Annotated[int, Field(ge=1)]


class SpaceEntry(StrictModel):
    """The embedding space of all encoders, labels and the fusion step."""

    id: Annotated[str, Field(min_length=1)]
    dim: Annotated[int, Field(ge=1)]


class DataSource(StrictModel):
    """Data the bundle was trained on."""

    name: str
    licence: str
    url: str | None = None


class Provenance(StrictModel):
    """The origin of the bundle."""

    data: Annotated[tuple[DataSource, ...], Strict(False)] = ()
    trained_on: str = ""
    """the split of the data: `all`, or its name"""
    metrics: dict[str, JsonValue] = Field(default_factory=dict)
    tools: dict[str, str] = Field(default_factory=dict)
    """versions of the tools that made it"""
    created: str = ""
    """ISO 8601"""


class Manifest(StrictModel):
    """All of `bundle.yaml`."""

    format_version: Literal[1]
    name: str
    space: SpaceEntry
    encoders: dict[Modality, EncoderEntry]
    fusion: FusionEntry
    labels: BundleFile
    calibration: TemperatureScaling
    provenance: Provenance = Provenance()

    def files(self) -> list[BundleFile]:
        """All files of the bundle except the manifest."""
        encoders: list[BundleFile] = [
            file for entry in self.encoders.values() for file in entry.precisions.values()
        ]
        return [*encoders, self.fusion, self.labels]

    def to_yaml(self) -> str:
        """The text of `bundle.yaml`."""
        return dump_yaml(self.model_dump(mode="json", exclude_none=True))
