"""The shipped bundle does what the README says, on simulated sensors and on real recordings."""

from __future__ import annotations

import json

import numpy as np
import onnx
import pytest
from encoding import encode_raw
from onnx import numpy_helper
from reference_fusion import FusionParameters, ReferenceFusion

from omnibind_ros.bundle.label_bank import LabelBank
from omnibind_ros.bundle.loading import Bundle
from omnibind_ros.config.robot import FusionConfig
from omnibind_ros.encoder.sensor_encoder import SensorEncoder
from omnibind_ros.fusion.adaptive_fusion import AdaptiveFusion
from omnibind_ros.fusion.core import FusionCore
from omnibind_ros.host.data.readers import read_recordings
from omnibind_ros.host.data.recipe import load_recipe
from omnibind_ros.host.data.scene import Scene
from omnibind_ros.modalities.registry import ORDER
from omnibind_ros.types import Embedding

LABELS = tuple("0123456789")
NOW = 1_700_000_000_000_000_000


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return Bundle.load("digits")


@pytest.fixture(scope="module")
def encoders(bundle: Bundle) -> dict[str, SensorEncoder]:
    return {modality: SensorEncoder.open(bundle, modality, modality) for modality in bundle.modalities}


def test_it_is_small_and_knows_every_modality_and_label(bundle):
    assert set(bundle.modalities) == set(ORDER)
    assert LabelBank.load(bundle.labels_path).names == LABELS
    assert sum(file.stat().st_size for file in bundle.folder.iterdir()) < 20e6


def test_its_manifest_says_how_good_it_is_and_what_it_was_trained_on(bundle):
    for modality in ("audio", "image", "event", "touch", "point_cloud"):
        assert bundle.manifest.encoders[modality].metrics["accuracy"] >= 0.93
    assert all(source.licence for source in bundle.manifest.provenance.data)
    assert json.dumps(bundle.manifest.provenance.metrics)


@pytest.mark.parametrize("modality", ORDER)
def test_it_recognises_what_simulated_sensors_show(bundle, encoders, modality):
    labels = LabelBank.load(bundle.labels_path)
    right = []
    for seed in range(8):
        for digit in range(10):
            embedding = encode_raw(encoders[modality], Scene(digit, 10_000 + seed).sample(modality))
            right.append(embedding is not None and labels.similarity(embedding.vector).argmax() == digit)
    assert np.mean(right) >= 0.95


@pytest.mark.parametrize("modality", [m for m in ORDER if m != "text"])
def test_it_recognises_what_real_recordings_show(bundle, encoders, modality, data_root):
    labels = LabelBank.load(bundle.labels_path)
    recordings = [r for r in read_recordings(load_recipe("digits"), data_root, (modality,)) if r.label]
    some = [recordings[i] for i in np.random.default_rng(0).permutation(len(recordings))[:60]]
    right = [
        labels.names[labels.similarity(encode_raw(encoders[modality], r.load()).vector).argmax()] == r.label
        for r in some
    ]
    assert np.mean(right) >= 0.95


def test_sensors_that_agree_are_surer_together_and_one_that_is_stuck_is_outvoted(bundle, encoders):
    core = FusionCore.open(bundle, FusionConfig())
    shown = {"image": 5, "audio": 5, "touch": 5, "point_cloud": 8}
    for modality, digit in shown.items():
        embedding = encode_raw(encoders[modality], Scene(digit, 77).sample(modality))
        assert core.update(replace_stamp(embedding), NOW)
    recognition = core.step(NOW)
    assert recognition.answer == "5"
    weights = {c.sensor: c.weight for c in recognition.contributions}
    assert weights["point_cloud"] < 0.5 * min(weights[m] for m in ("image", "audio", "touch"))


def test_a_thermal_picture_of_none_of_the_numbers_is_unknown(bundle, encoders, data_root):
    core = FusionCore.open(bundle, FusionConfig())
    negatives = [
        r for r in read_recordings(load_recipe("digits"), data_root, ("thermal",)) if r.label is None
    ]
    answers = []
    for number, recording in enumerate(negatives[::6]):
        now = NOW + number * 1_000_000_000
        embedding = encode_raw(encoders["thermal"], recording.load())
        if embedding is not None:
            core.update(replace_stamp(embedding, now), now)
            answers.append(core.step(now).answer)
    assert len(answers) > 5
    assert answers.count("unknown") >= 0.9 * len(answers)


@pytest.mark.parametrize("count", [3, 10, 1000])
def test_its_fusion_takes_any_number_of_labels(bundle, count):
    """Checked against the formula, with weights read from the model file."""
    entry, rng = bundle.manifest.fusion, np.random.default_rng(count)
    centres = rng.standard_normal((count, 384)).astype(np.float32)
    labels = LabelBank(tuple(f"label {k}" for k in range(count)), centres[:, None])
    weights = {t.name: numpy_helper.to_array(t) for t in onnx.load(bundle.fusion_path).graph.initializer}
    (sharpness,) = (w for w in weights.values() if w.shape == (len(entry.modalities) + 1, 1))
    parameters = FusionParameters(sharpness[:, 0].astype(float), weights["fault_logit"].astype(float))
    runs = (bundle.load_fusion().run, ReferenceFusion(parameters))
    shipped, formula = (
        AdaptiveFusion(run, entry.modalities, entry.max_sensors, labels.class_centres) for run in runs
    )
    for shown in range(5):
        vectors = 2 * labels.class_centres[[shown % count] * 5] + 0.1 * rng.standard_normal((5, 384))
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        live = [
            Embedding(
                m, m, v.astype(np.float32), NOW, bundle.space.tag, rng.uniform(0.1, 1), rng.uniform(0, 4)
            )
            for m, v in zip(entry.modalities, vectors, strict=False)
        ]
        one, other = shipped.fuse(live), formula.fuse(live)
        np.testing.assert_allclose(one.vector, other.vector, atol=1e-5)
        np.testing.assert_allclose(one.weights, other.weights, atol=1e-5)


def replace_stamp(embedding, stamp: int = NOW):
    return type(embedding)(**{**vars(embedding), "stamp": stamp})
