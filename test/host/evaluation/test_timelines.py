"""Simulated timelines: what is sent when, what faults do to it, and that methods are told apart."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bundles import write_stub_bundle

from omnibind_ros.bundle.loading import Bundle
from omnibind_ros.errors import ConfigError
from omnibind_ros.host.data.recording import Recording
from omnibind_ros.host.evaluation.pools import Pool
from omnibind_ros.host.evaluation.timelines.benchmark import evaluate_timelines
from omnibind_ros.host.evaluation.timelines.shelf import Shelf, Timing
from omnibind_ros.host.evaluation.timelines.simulation import (
    FAULTS,
    START,
    Fault,
    Scene,
    Timeline,
    draw_scenes,
    simulate,
)
from omnibind_ros.modalities.registry import make_preprocessor
from omnibind_ros.types import Space

SPACE, CLASSES, PER_CLASS, DIM = Space("test", 16), 5, 6, 16
CAMERA = Timing("single", period_s=0.1)
MICROPHONE = Timing("segments", 0.0, 1.0, 0.25, 0.25, 0.6)
IMU = Timing("windows", window_s=3.0, hop_s=0.5)
WORD_S = 0.5


def shelf(timing: Timing, seed: int = 0, pairs: bool = False) -> Shelf:
    """Embeddings whose largest component is their class; corrupted ones are of no class."""
    rng, labels = np.random.default_rng(seed), np.repeat(np.arange(CLASSES), PER_CLASS)
    vectors = np.eye(DIM, dtype=np.float32)[labels] + 0.05 * rng.standard_normal((len(labels), DIM))
    names = np.array([f"{k}" for k in range(len(labels))] if pairs else [""] * len(labels))

    def pool(embeddings: np.ndarray, versions: int) -> Pool:
        shape = embeddings.shape[:2]
        strength = np.broadcast_to(np.linspace(0, 1, versions, dtype=np.float32), shape)
        unit = (embeddings / np.linalg.norm(embeddings, axis=2, keepdims=True)).astype(np.float32)
        ones = np.ones(shape, np.float32)
        return Pool(unit, 2.5 * ones, ones, ones.astype(int), strength, labels, names, ("noise",))

    corrupted = np.repeat(vectors[:, None], 4, axis=1)
    corrupted[:, -1] = 1.0
    rows = tuple(np.flatnonzero(labels == k) for k in range(CLASSES))
    lengths = np.full(len(labels), WORD_S if timing.kind == "segments" else 0.0)
    return Shelf(timing, pool(vectors[:, None], 1), pool(corrupted, 4), lengths, rows)


def shown(timeline: Timeline, sensor: str) -> list[tuple[float, float, int]]:
    """(stamp, begin, class) of each embedding."""
    sent = [e for e in timeline.embeddings if e.sensor == sensor]
    stamps = [(e.stamp - START) / 1e9 for e in sent]
    return [(at, at - e.span, int(e.vector.argmax())) for at, e in zip(stamps, sent, strict=True)]


TWO_SCENES = (Scene(0.0, 1), Scene(10.0, 2))
SHELVES = {"image": shelf(CAMERA), "audio": shelf(MICROPHONE, 1), "imu": shelf(IMU, 2)}


def test_a_sample_shows_the_scene_of_its_beginning_at_the_rate_of_its_sensor() -> None:
    timeline = simulate(SHELVES, SPACE, TWO_SCENES, 20.0, seed=0)
    for sensor in SHELVES:
        for at, begin, label in shown(timeline, sensor):
            assert label == (1 if begin < 10.0 else 2), (sensor, at, begin)
    assert 190 <= len(shown(timeline, "image")) <= 210
    begins = sorted({round(begin, 6) for _, begin, _ in shown(timeline, "audio")})
    assert np.median(np.diff(begins)) == pytest.approx(WORD_S + 0.6, rel=0.1)
    # A word is complete once the pause after it was seen, and is sent again while it is in the window.
    assert min(at - begin for at, begin, _ in shown(timeline, "audio")) >= WORD_S + 0.25 - 1e-6
    assert all(at - begin == pytest.approx(3.0, abs=1e-6) for at, begin, _ in shown(timeline, "imu"))
    stamps = [e.stamp for e in timeline.embeddings]
    assert stamps == sorted(stamps)


def test_the_same_seed_is_the_same_timeline_and_a_sensor_less_changes_no_other() -> None:
    both = simulate(SHELVES, SPACE, TWO_SCENES, 5.0, seed=3)
    fewer = simulate({"image": SHELVES["image"]}, SPACE, TWO_SCENES, 5.0, seed=3)
    assert shown(both, "image") == shown(fewer, "image")


@pytest.mark.parametrize("kind", FAULTS)
def test_faults(kind: str) -> None:
    fault = Fault(kind, ("image",), 5.0)
    timeline = simulate(SHELVES, SPACE, TWO_SCENES, 40.0, seed=1, fault=fault)
    camera = shown(timeline, "image")
    late = [label for at, _, label in camera if at > 13.0]
    if kind == "stuck":
        assert set(late) == {1}
        assert timeline.contradicted_s == pytest.approx(10.0, abs=0.2)
        vectors = [e.vector for e in timeline.embeddings if e.sensor == "image"][-2:]
        assert 0.99 < float(vectors[0] @ vectors[1]) < 1.0
    elif kind == "delayed":
        assert [label for at, _, label in camera if 10.1 < at < 11.9] == [1] * len(
            [0 for at, _, _ in camera if 10.1 < at < 11.9]
        )
        assert set(late) == {2}
    elif kind == "dropping":
        assert max(np.diff([at for at, _, _ in camera])) == pytest.approx(3.0, abs=0.3)
        assert set(late) == {2}
    elif kind == "degrading":
        flat = [e for e in timeline.embeddings if e.sensor == "image" and e.stamp > START + 30e9]
        assert all(e.vector.max() < 0.5 for e in flat)
    else:
        assert set(late) == {late[0]} and late[0] != 2
    assert all(label == 1 for at, _, label in shown(timeline, "audio") if at < 10)


def test_scenes_show_recorded_moments_where_there_are() -> None:
    paired = {"image": shelf(CAMERA, 0, pairs=True), "imu": shelf(IMU, 2, pairs=True)}
    scenes = draw_scenes(paired, 60.0, np.random.default_rng(0))
    assert all(scene.moment for scene in scenes)
    assert all(3.0 <= b.begin_s - a.begin_s <= 15.0 for a, b in pairwise(scenes))
    assert all(a.label != b.label for a, b in pairwise(scenes))
    timeline = simulate(paired, SPACE, [Scene(0.0, scenes[0].label, scenes[0].moment)], 5.0, seed=0)
    vectors = {e.vector.tobytes() for e in timeline.embeddings if e.sensor == "image"}
    assert len(vectors) == 1


def test_rates_are_those_of_the_driver_and_windows_those_of_the_preprocessing() -> None:
    sound = np.zeros(4000, np.float32)
    microphone = Timing.of(make_preprocessor("audio"), sound, 0.5)
    assert (microphone.kind, microphone.window_s, microphone.hop_s, microphone.pause_s) == (
        "segments", 1.0, 0.25, 0.25,
    )  # fmt: skip
    assert microphone.rest_s == pytest.approx(0.6, abs=0.06)
    camera = Timing.of(make_preprocessor("image"), np.zeros((8, 8, 3), np.uint8), 0.0)
    assert (camera.kind, camera.period_s) == ("single", pytest.approx(0.1))
    imu = Timing.of(make_preprocessor("series", {"window_s": 4.0}), np.zeros((200, 6), np.float32), 4.0)
    assert (imu.kind, imu.window_s, imu.hop_s) == ("windows", 4.0, 0.5)


def recordings(count: int = 3) -> list[Recording]:
    rng = np.random.default_rng(0)
    made: list[Recording] = []
    for modality, draw in (
        ("image", lambda: rng.integers(0, 255, (32, 32, 3), np.uint8)),
        ("audio", lambda: (0.3 * rng.standard_normal(4000)).astype(np.float32)),
    ):
        for label in "0123456789":
            for n in range(count):
                raw: Any = draw()
                made.append(Recording(modality, "made", f"{label}/{n}", label, "", lambda raw=raw: raw))
    return made


def test_the_benchmark_of_a_bundle_that_always_recognises_a_five(tmp_path: Path) -> None:
    """What is measured is known: right while the scene is a five, never otherwise."""
    bundle = Bundle.load(write_stub_bundle(tmp_path / "stub"))
    found = evaluate_timelines(bundle, recordings(), sets=[("image", "audio")], seed=1)
    assert list(found["healthy"]) == ["image + audio"]
    methods = found["healthy"]["image + audio"]
    assert list(methods) == [
        "memory", "snapshot", "snapshot with ages", "newest sensor", "Bayes filter", "oracle",
    ]  # fmt: skip
    for row in methods.values():
        assert row["wrong"] == pytest.approx(row["not_right"], abs=0.02)
        assert row["not_right"] > 0.5
    assert set(found["faults"]["image + audio"]) == set(FAULTS) - {"two against two"}
    alarms = found["false_alarms"]
    assert list(alarms) == ["nothing wrong", "beside a fault"]
    assert alarms["nothing wrong"]["count"] == 0
    assert alarms["nothing wrong"]["hours"] == pytest.approx(2 * 210 / 3600, abs=1e-3)


def test_a_modality_without_an_encoder_is_named(tmp_path: Path) -> None:
    bundle = Bundle.load(write_stub_bundle(tmp_path / "stub"))
    with pytest.raises(ConfigError, match=r"timelines: bundle 'stub' has no encoder for 'imag'; .* 'image'"):
        evaluate_timelines(bundle, recordings(1), sets=[("imag",)])
