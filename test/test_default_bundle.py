"""The shipped bundle does what the README says, on simulated sensors and on real recordings."""

from __future__ import annotations

import json

import numpy as np
import pytest
from encoding import encode_raw

from omnibind_ros.bundle.loading import Bundle
from omnibind_ros.config.robot import FusionConfig
from omnibind_ros.encoder.sensor_encoder import SensorEncoder
from omnibind_ros.fusion.open_hub import open_hub, open_label_bank
from omnibind_ros.host.data.readers import read_recordings
from omnibind_ros.host.data.recipe import load_recipe
from omnibind_ros.host.data.scene import Scene
from omnibind_ros.types import MODALITIES

LABELS = tuple("0123456789")
NOW = 1_700_000_000_000_000_000


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return Bundle.load("digits")


@pytest.fixture(scope="module")
def encoders(bundle: Bundle) -> dict[str, SensorEncoder]:
    return {modality: SensorEncoder.open(bundle, modality, modality) for modality in bundle.modalities}


def test_it_is_small_and_knows_every_modality_and_label(bundle):
    assert set(bundle.modalities) == set(MODALITIES)
    assert open_label_bank(bundle).names == LABELS
    assert sum(file.stat().st_size for file in bundle.folder.iterdir()) < 20e6


def test_its_manifest_says_how_good_it_is_and_what_it_was_trained_on(bundle):
    for modality in ("audio", "image", "event", "touch", "point_cloud"):
        assert bundle.manifest.encoders[modality].metrics["accuracy"] >= 0.93
    assert all(source.licence for source in bundle.manifest.provenance.data)
    assert json.dumps(bundle.manifest.provenance.metrics)


@pytest.mark.parametrize("modality", MODALITIES)
def test_it_recognises_what_simulated_sensors_show(bundle, encoders, modality):
    labels = open_label_bank(bundle)
    right = []
    for seed in range(8):
        for digit in range(10):
            embedding = encode_raw(encoders[modality], Scene(digit, 10_000 + seed).sample(modality))
            right.append(embedding is not None and labels.similarity(embedding.vector).argmax() == digit)
    assert np.mean(right) >= 0.95


@pytest.mark.parametrize("modality", [m for m in MODALITIES if m != "text"])
def test_it_recognises_what_real_recordings_show(bundle, encoders, modality, data_root):
    labels = open_label_bank(bundle)
    recordings = [r for r in read_recordings(load_recipe("digits"), data_root, (modality,)) if r.label]
    some = [recordings[i] for i in np.random.default_rng(0).permutation(len(recordings))[:60]]
    right = [
        labels.names[labels.similarity(encode_raw(encoders[modality], r.load()).vector).argmax()] == r.label
        for r in some
    ]
    assert np.mean(right) >= 0.95


def test_sensors_that_agree_are_surer_together_and_one_that_is_stuck_is_outvoted(bundle, encoders):
    hub = open_hub(bundle, open_label_bank(bundle), FusionConfig())
    shown = {"image": 5, "audio": 5, "touch": 5, "point_cloud": 8}
    for modality, digit in shown.items():
        embedding = encode_raw(encoders[modality], Scene(digit, 77).sample(modality))
        assert hub.update(replace_stamp(embedding), NOW)
    recognition = hub.step(NOW)
    assert recognition.answer == "5"
    weights = {c.sensor: c.weight for c in recognition.contributions}
    assert weights["point_cloud"] < 0.5 * min(weights[m] for m in ("image", "audio", "touch"))


def test_a_thermal_picture_of_none_of_the_numbers_is_unknown(bundle, encoders, data_root):
    hub = open_hub(bundle, open_label_bank(bundle), FusionConfig())
    negatives = [
        r for r in read_recordings(load_recipe("digits"), data_root, ("thermal",)) if r.label is None
    ]
    answers = []
    for number, recording in enumerate(negatives[::6]):
        now = NOW + number * 1_000_000_000
        embedding = encode_raw(encoders["thermal"], recording.load())
        if embedding is not None:
            hub.update(replace_stamp(embedding, now), now)
            answers.append(hub.step(now).answer)
    assert len(answers) > 5
    assert answers.count("unknown") >= 0.9 * len(answers)


def replace_stamp(embedding, stamp: int = NOW):
    return type(embedding)(**{**vars(embedding), "stamp": stamp})
