"""Precisions added to a bundle, each with its measured accuracy; records repeat them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from bundles import write_stub_bundle
from encoding import encode_raw
from small_models import write_two_layers

from omnibind_ros.bundle.label_bank import LabelBank
from omnibind_ros.bundle.loading import Bundle
from omnibind_ros.bundle.manifest import BundleFile
from omnibind_ros.encoder.sensor_encoder import SensorEncoder
from omnibind_ros.engines.engine import EngineOptions
from omnibind_ros.errors import ConfigError
from omnibind_ros.host.data.recipe import load_recipe
from omnibind_ros.host.export.lower_precisions import QuantizationData, add_precisions, make_record
from omnibind_ros.host.export.quantization_record import QuantizationRecord
from omnibind_ros.modalities.registry import make_preprocessor

RECIPE = load_recipe("digits").model_copy(update={"sources": ()})


def write_text_bundle(folder: Path) -> Bundle:
    """A stub bundle whose text encoder knows some words: a linear reading of the hashed vector."""
    bundle = Bundle.load(write_stub_bundle(folder))
    labels = LabelBank.from_npz(bundle.labels_path.read_bytes())
    adaptor = make_preprocessor("text")
    words = np.concatenate([adaptor.prepare(word) for word in RECIPE.labels.values()])
    first = np.maximum(words.T, 0) + 0.001 * np.random.default_rng(0).random((1024, 10)).astype(np.float32)
    write_two_layers(folder / "text.fp32.onnx", first.astype(np.float32), labels.class_centres, "signal")
    document = bundle.manifest.model_dump(mode="json", exclude_none=True)
    document["encoders"]["text"]["precisions"]["fp32"] = BundleFile.describe(folder, "text.fp32.onnx")
    (folder / "bundle.yaml").write_text(type(bundle.manifest).model_validate(document).to_yaml())
    return Bundle.load(folder)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return write_text_bundle(tmp_path_factory.mktemp("engines") / "words")


@pytest.fixture(scope="module")
def record(bundle):
    return make_record(bundle, "text", QuantizationData(RECIPE, Path(), bundle, allowed_loss=100))


def test_a_record_has_the_policy_and_the_accuracy(bundle, record, tmp_path):
    assert record.encoder_sha256 == bundle.encoder_model("text").sha256
    assert set(record.measured) == {"fp32", "fp16", "u8s8", "int8"}
    assert record.measured["fp32"].accuracy > 0.5
    assert record.measured["u8s8"].split == "simulated"
    assert record.inputs.n > 0
    record.write(tmp_path / "text.yaml")
    assert QuantizationRecord.read(tmp_path / "text.yaml") == record


def test_the_new_bundle_runs_every_precision_and_has_its_accuracy(bundle, record, tmp_path):
    made = add_precisions(bundle, ["text"], {"text": record}.__getitem__, tmp_path / "out", allowed_loss=100)
    entry = made.manifest.encoders["text"]
    assert list(entry.precisions) == ["fp32", "fp16", "u8s8", "int8"]
    assert {p: file.measured for p, file in entry.precisions.items()} == record.measured
    assert entry.default_precision == "u8s8"
    assert entry.precision_for("onnxruntime") == "u8s8"
    assert entry.precision_for("tensorrt") == "fp16"
    vectors = {}
    for precision in entry.precisions:
        encoder = SensorEncoder.open(made, "words", "text", engine=EngineOptions("onnxruntime", precision))
        vectors[precision] = encode_raw(encoder, "three").vector
        encoder.close()
    for precision, vector in vectors.items():
        assert vector @ vectors["fp32"] > 0.99, precision
    assert not np.array_equal(vectors["u8s8"], vectors["fp32"])
    assert made.manifest.encoders["image"] == bundle.manifest.encoders["image"]


def test_float_stays_the_default_where_8_bits_cost_too_much(bundle, record, tmp_path):
    worse = record.measured["u8s8"].model_copy(update={"accuracy": record.measured["fp32"].accuracy - 0.006})
    lossy = record.model_copy(update={"measured": {**record.measured, "u8s8": worse}})
    made = add_precisions(bundle, ["text"], lambda _: lossy, tmp_path / "lossy")
    assert made.manifest.encoders["text"].default_precision == "fp32"
    near = record.measured["u8s8"].model_copy(update={"accuracy": record.measured["fp32"].accuracy - 0.004})
    fine = record.model_copy(update={"measured": {**record.measured, "u8s8": near}})
    made = add_precisions(bundle, ["text"], lambda _: fine, tmp_path / "fine")
    assert made.manifest.encoders["text"].default_precision == "u8s8"


def test_only_the_requested_precisions_are_written(bundle, record, tmp_path):
    made = add_precisions(bundle, ["text"], lambda _: record, tmp_path / "half", precisions=["fp16"])
    assert list(made.manifest.encoders["text"].precisions) == ["fp32", "fp16"]
    assert made.manifest.encoders["text"].default_precision == "fp32"


def test_a_record_of_another_encoder_is_refused(bundle, record, tmp_path):
    other = record.model_copy(update={"encoder_sha256": "0" * 64})
    with pytest.raises(ConfigError, match="another encoder"):
        add_precisions(bundle, ["text"], lambda _: other, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def omnibind(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "omnibind_ros.cli.main", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=100)


def test_from_the_command_line_and_again_without_recordings(bundle, tmp_path):
    (tmp_path / "recordings").mkdir()
    common = ("--only", "text", "--records", tmp_path / "records", "--out")
    root = ("--root", tmp_path / "recordings")
    done = omnibind("quantize", bundle.folder, *root, *common, tmp_path / "first")
    assert done.returncode == 0, done.stderr
    assert "u8s8" in done.stdout
    done = omnibind("quantize", bundle.folder, "--repeat", *common, tmp_path / "again")
    assert done.returncode == 0, done.stderr
    for file in (tmp_path / "first").iterdir():
        assert file.read_bytes() == (tmp_path / "again" / file.name).read_bytes(), file.name


def test_mistakes_are_one_line_and_exit_2(bundle, tmp_path):
    for arguments, complaint in (
        (("--only", "txt", "--repeat"), "did you mean 'text'"),
        (("--precision", "u8s9", "--repeat"), "did you mean 'u8s8'"),
        (("--repeat", "--records", tmp_path), "--repeat: no record"),
    ):
        done = omnibind("quantize", bundle.folder, *arguments)
        assert done.returncode == 2
        assert complaint in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1


def test_the_benchmark_compares_the_precisions(bundle, record, tmp_path):
    made = add_precisions(bundle, ["text"], lambda _: record, tmp_path / "both", allowed_loss=100)
    figures = tmp_path / "bench.json"
    done = omnibind(
        "bench", "encoders", "--bundle", made.folder, "--only", "text", "--repeat", 25, "--json", figures
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(figures.read_text())
    by_name = {one["name"]: one for one in found["results"]}
    assert set(by_name) == {"onnxruntime fp32", "onnxruntime u8s8"}
    for one in by_name.values():
        assert 0 < one["p50_ms"] <= one["p99_ms"]
        assert one["peak_mb"] > 10
        assert 0 < one["cold_start_s"] < 60
        assert one["floor_ms"] > 0
    ratio = by_name["onnxruntime fp32"]["p50_ms"] / by_name["onnxruntime u8s8"]["p50_ms"]
    assert by_name["onnxruntime u8s8"]["times_as_fast_as_onnxruntime_fp32"] == pytest.approx(ratio)
    assert {one["name"] for one in found["absent"]} == {"torch"}
    assert "--run" in done.stdout
