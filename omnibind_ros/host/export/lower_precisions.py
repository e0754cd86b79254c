"""Lower precisions of a bundle's encoders: fp16 and int8 for TensorRT, u8s8 for CPUs, each with its accuracy.

A shipped bundle was trained on all recordings, so no recordings are left to measure it on. Policies are
therefore chosen and losses measured on its twin: the encoders of the same training run that were trained on
the train split alone. The policy is applied to the bundle with ranges of its own, from the same inputs.

    train split      the ranges of both are taken from its inputs
    dev split        the twin's policy is chosen on it
    test split       the twin's accuracy in every precision, for the manifest; nothing is chosen on it
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto

from omnibind_ros.bundle.label_bank import LabelBank
from omnibind_ros.bundle.loading import Bundle
from omnibind_ros.bundle.manifest import BundleFile, Manifest, Measured
from omnibind_ros.errors import ConfigError
from omnibind_ros.host.data.readers import read_recordings
from omnibind_ros.host.data.recipe import Recipe
from omnibind_ros.host.data.recording import Recording
from omnibind_ros.host.data.simulated import simulated_recordings
from omnibind_ros.host.data.splits import Split, select
from omnibind_ros.host.export.bundle_writer import new_folder, replace_bundle
from omnibind_ros.host.export.encoder_accuracy import PreparedInputs, correct, embed, prepare_inputs
from omnibind_ros.host.export.half_precision import to_half_precision
from omnibind_ros.host.export.onnx_graph import layers, read_graph
from omnibind_ros.host.export.quantization import FORMS, METHODS, find_ranges, quantize
from omnibind_ros.host.export.quantization_policy import search_policy
from omnibind_ros.host.export.quantization_record import (
    FormRecord,
    QuantizationRecord,
    RangeInputs,
    exact,
)
from omnibind_ros.modalities.registry import make_preprocessor

PRECISIONS = ("fp16", *FORMS)
"""Precisions that can be added to a bundle's float32 encoders."""

RANGE_INPUTS = 256
_SIMULATED = 25  # samples per class of a modality without recordings
_SEEDS: dict[Split, int] = {"train": 0, "dev": 1, "test": 2}
_LARGEST_ACTIVATION = float(np.finfo(np.float16).max) / 8  # with a margin for other inputs


@dataclass(frozen=True)
class QuantizationData:
    """The recordings and the twin on which precisions are chosen and measured.

    Attributes:
        root: folder of the recordings.
        twin: bundle of the same encoders, trained on the train split alone.
        allowed_loss: largest loss of accuracy by 8 bits, in percentage points.
    """

    recipe: Recipe
    root: Path
    twin: Bundle
    allowed_loss: float = 0.5

    def inputs(
        self, bundle: Bundle, modality: str, split: Split, at_most: int | None = None
    ) -> PreparedInputs:
        """Model inputs of the recordings of a split; simulated ones for a modality without recordings."""
        adaptor = make_preprocessor(modality, dict(bundle.encoder_model(modality).preprocessing))
        recordings: Sequence[Recording] = []
        if any(source.modality == modality for source in self.recipe.sources):
            recordings = select(read_recordings(self.recipe, self.root, (modality,)), self.recipe, split)
        if recordings:
            return prepare_inputs(recordings, adaptor, split, at_most)
        few = self.recipe.model_copy(update={"simulated": {modality: _SIMULATED}})
        return prepare_inputs(
            simulated_recordings(few, modality, _SEEDS[split]), adaptor, "simulated", at_most
        )


def make_record(bundle: Bundle, modality: str, data: QuantizationData) -> QuantizationRecord:
    """Choose the policies of one encoder, measure its precisions and take its ranges.

    Raises:
        ConfigError: the twin's encoder has other layers.
        BadRecording: a recording cannot be read.
    """
    labels = LabelBank.load(data.twin.labels_path)
    shown = data.inputs(bundle, modality, "train", RANGE_INPUTS)
    dev, test = data.inputs(bundle, modality, "dev"), data.inputs(bundle, modality, "test")
    model, twin = _float_model(bundle, modality), _float_model(data.twin, modality)
    if layers(model) != layers(twin):
        raise ConfigError(
            f"{data.twin.folder}: its {modality} encoder has other layers than that of {bundle.folder}; "
            "the twin must be of the same training run"
        )

    twin_ranges = {method: find_ranges(twin, shown.inputs, method) for method in METHODS}
    trained_on = data.twin.manifest.provenance.trained_on
    measured = {"fp32": _measured(twin, test, labels, trained_on)}
    measured["fp16"] = _measured(to_half_precision(twin), test, labels, trained_on)
    forms = {}
    for form in FORMS:
        policy = search_policy(twin, twin_ranges, form, dev, labels, data.allowed_loss)
        forms[form] = FormRecord(
            method=policy.method,
            keep=policy.keep,
            judged_on=dev.split,
            n=dev.n,
            loss_points=round(policy.loss, 3),
            error=_short(policy.error),
            errors_by_method={m: _short(e) for m, e in policy.errors_by_method.items()},
            errors_by_layer={name: _short(e) for name, e in policy.errors_by_layer.items()},
        )
        lower = quantize(twin, twin_ranges[policy.method], form, policy.keep)
        measured[form] = _measured(lower, test, labels, trained_on)
    used = {form.method for form in forms.values()}
    return QuantizationRecord(
        encoder_sha256=bundle.encoder_model(modality, "fp32").sha256,
        inputs=RangeInputs(split=shown.split, n=len(shown.inputs), sha256=shown.sha256),
        ranges={
            method: exact(find_ranges(model, shown.inputs, method)) for method in METHODS if method in used
        },
        forms=forms,
        measured=measured,
    )


def add_precisions(
    bundle: Bundle,
    modalities: Collection[str],
    record_of: Callable[[str], QuantizationRecord],
    folder: Path,
    *,
    precisions: Collection[str] = PRECISIONS,
    allowed_loss: float = 0.5,
) -> Bundle:
    """Write a copy of the bundle with more precisions of some encoders; replace `folder` when it is complete.

    u8s8 becomes an encoder's default if it is among `precisions` and its loss is at most `allowed_loss`.

    Args:
        record_of: gives the record of a modality.
        allowed_loss: in percentage points.
    """
    new = new_folder(folder)
    shutil.copytree(bundle.folder, new, dirs_exist_ok=True)
    document = bundle.manifest.model_dump(mode="json", exclude_none=True)
    for modality in modalities:
        document["encoders"][modality].update(
            _write_precisions(bundle, modality, record_of(modality), new, precisions, allowed_loss)
        )
    return replace_bundle(new, Manifest.model_validate(document), folder)


def _write_precisions(
    bundle: Bundle,
    modality: str,
    record: QuantizationRecord,
    folder: Path,
    precisions: Collection[str],
    allowed_loss: float,
) -> dict[str, Any]:
    """Write the files of one encoder; returns the changes to its entry in the manifest."""
    source = bundle.encoder_model(modality, "fp32")
    if record.encoder_sha256 != source.sha256:
        raise ConfigError(
            f"the quantization record of {modality} belongs to another encoder than {source.path}; "
            "make a new one: omnibind quantize ... --root DATA"
        )
    files = {"fp32": source.path.relative_to(bundle.folder).as_posix()}
    model = _float_model(bundle, modality)
    for precision in precisions:
        files[precision] = f"{modality}.{precision}.onnx"
        onnx.save(_lowered(model, precision, record, modality), folder / files[precision])
    measured = record.measured
    loss = 100 * (measured["fp32"].accuracy - measured["u8s8"].accuracy)
    return {
        "precisions": {
            precision: {
                **BundleFile.describe(folder, file),
                "measured": measured[precision].model_dump(),
            }
            for precision, file in files.items()
        },
        "default_precision": "u8s8" if "u8s8" in files and loss <= allowed_loss else "fp32",
    }


def _lowered(model: ModelProto, precision: str, record: QuantizationRecord, modality: str) -> ModelProto:
    if precision == "fp16":
        _check_half_range(modality, record)
        return to_half_precision(model)
    made = record.forms[precision]
    return quantize(model, record.ranges[made.method], precision, made.keep)


def _float_model(bundle: Bundle, modality: str) -> ModelProto:
    return read_graph(bundle.encoder_model(modality, "fp32").path)


def _check_half_range(modality: str, record: QuantizationRecord) -> None:
    for ranges in record.ranges.values():
        name, (low, high) = max(ranges.items(), key=lambda item: max(map(abs, item[1])))
        if max(abs(low), abs(high)) > _LARGEST_ACTIVATION:
            raise ConfigError(
                f"{modality}: {name} reaches {max(abs(low), abs(high)):.3g}, out of the range of float16; "
                "leave fp16 out with --precision"
            )


def _measured(model: ModelProto, on: PreparedInputs, labels: LabelBank, trained_on: str) -> Measured:
    answers: NDArray[np.bool_] = correct(embed(model, on.inputs), on, labels)
    return Measured(accuracy=round(float(answers.mean()), 4), n=on.n, split=on.split, trained_on=trained_on)


def _short(value: float) -> float:
    return float(f"{value:.3g}")
