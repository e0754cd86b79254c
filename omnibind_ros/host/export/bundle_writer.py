"""Writes a bundle: models, label bank, and a manifest with checksums, in one folder."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from omnibind_ros.bundle.label_bank import LabelBank
from omnibind_ros.bundle.loading import Bundle
from omnibind_ros.bundle.manifest import BundleFile, Manifest
from omnibind_ros.bundle.temperature_scaling import TemperatureScaling
from omnibind_ros.host.data.recipe import Recipe
from omnibind_ros.host.export.onnx_models import export_fusion, export_student
from omnibind_ros.host.models.adaptive_fusion import AdaptiveFusionModel
from omnibind_ros.modalities.preprocessor import Preprocessor
from omnibind_ros.types import Space

_SIMULATED = {"name": "simulated sensors", "licence": "Apache-2.0, omnibind_ros.simulation"}


@dataclass(frozen=True)
class TrainedEncoder:
    """A student with its evidence head, and the preprocessing that it was trained with."""

    student: nn.Module
    preprocessor: Preprocessor
    metrics: dict[str, Any]


def write_bundle(
    folder: Path,
    recipe: Recipe,
    space: Space,
    encoders: Mapping[str, TrainedEncoder],
    fusion: AdaptiveFusionModel,
    centres: NDArray[np.float32],
    scaling: TemperatureScaling,
    *,
    max_sensors: int,
    trained_on: str,
    metrics: Mapping[str, Any],
) -> Bundle:
    """Write a bundle and load it. An older one is replaced only after the new one has been loaded.

    Args:
        encoders: by modality, in the order of the modality ids.
        centres: float32 [K, D], one centre per label.
        max_sensors: rows of the exported fusion step.
        trained_on: `all`, or the split that the students were trained on.
        metrics: measured on held-back recordings, for the manifest.
    """
    new = new_folder(folder)
    entries = {modality: _write_encoder(new, modality, trained) for modality, trained in encoders.items()}
    export_fusion(fusion, max_sensors, space.dim, new / "fusion.onnx")
    (new / "labels.npz").write_bytes(LabelBank(recipe.label_names, centres[:, None]).to_npz())
    manifest = Manifest.model_validate(
        {
            "format_version": 1,
            "name": folder.name,
            "space": asdict(space),
            "encoders": entries,
            "fusion": {
                **BundleFile.describe(new, "fusion.onnx"),
                "modalities": list(encoders),
                "max_sensors": max_sensors,
            },
            "labels": BundleFile.describe(new, "labels.npz"),
            "calibration": scaling.model_dump(mode="json"),
            "provenance": {
                "data": [
                    *({"name": f"{s.modality}: {s.name}", "licence": s.licence} for s in recipe.sources),
                    *([_SIMULATED] if recipe.simulated else []),
                ],
                "trained_on": trained_on,
                "metrics": dict(metrics),
                "tools": {name: version(name) for name in ("torch", "onnx", "numpy", "lightning")},
                "created": date.today().isoformat(),
            },
        }
    )
    return replace_bundle(new, manifest, folder)


def new_folder(folder: Path) -> Path:
    """An empty folder beside `folder`, in which its replacement is written."""
    new = folder.with_name(folder.name + ".new")
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(parents=True)
    return new


def replace_bundle(new: Path, manifest: Manifest, folder: Path) -> Bundle:
    """Write the manifest of the bundle in `new`, load it, and move it to `folder`."""
    (new / "bundle.yaml").write_text(manifest.to_yaml())
    Bundle.load(new)
    shutil.rmtree(folder, ignore_errors=True)
    new.rename(folder)
    return Bundle.load(folder)


def _write_encoder(folder: Path, modality: str, trained: TrainedEncoder) -> dict[str, Any]:
    file = f"{modality}.fp32.onnx"
    shape = trained.preprocessor.input_shape
    export_student(trained.student, shape, modality, folder / file)
    return {
        "precisions": {"fp32": BundleFile.describe(folder, file)},
        "input": {"name": modality, "shape": list(shape), "dtype": "float32"},
        "preprocessing": _preprocessing(modality, trained.preprocessor),
        "metrics": trained.metrics,
    }


def _preprocessing(modality: str, preprocessor: Preprocessor) -> dict[str, Any]:
    """The constants of a modality; for a custom one also its built-in modality, as `adaptor`."""
    constants = {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(preprocessor.format).items()}
    return constants if preprocessor.modality == modality else {"adaptor": preprocessor.modality, **constants}
