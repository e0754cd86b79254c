"""The fusion core: embeddings in, recognitions out, and never a stale answer."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from bundles import write_stub_bundle
from fusion_samples import SPACE, START, embedding, seconds, unit
from hypothesis import given
from hypothesis import strategies as st
from reference_fusion import FusionParameters, ReferenceFusion

from omnibind_ros.bundle.label_bank import LabelBank
from omnibind_ros.bundle.loading import Bundle
from omnibind_ros.bundle.temperature_scaling import TemperatureScaling
from omnibind_ros.config.robot import FusionConfig
from omnibind_ros.errors import BundleError, SpaceMismatch
from omnibind_ros.fusion.adaptive_fusion import AdaptiveFusion
from omnibind_ros.fusion.core import FusionCore
from omnibind_ros.types import Embedding, Space

NAMES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
MODALITIES = ("image", "audio", "event", "touch", "thermal", "point_cloud")


def bank(dim: int = SPACE.dim) -> LabelBank:
    rng = np.random.default_rng(0)
    centres = rng.standard_normal((10, 1, dim)) + 0.1 * rng.standard_normal((10, 3, dim))
    return LabelBank(NAMES, centres.astype(np.float32))


LABELS = bank()


def scaling(*scales: float, threshold: float = 0.5) -> TemperatureScaling:
    return TemperatureScaling(scale_by_count=scales, unknown_threshold=threshold)


def make_core(
    threshold: float = 0.5,
    max_sensors: int = 8,
    labels: LabelBank = LABELS,
    space: Space = SPACE,
    **config: Any,
) -> FusionCore:
    engine = ReferenceFusion(FusionParameters.initial(len(MODALITIES), spread=0.3))
    fusion = AdaptiveFusion(engine, MODALITIES, max_sensors, labels.class_centres)
    core = FusionCore(fusion, labels, scaling(20.0, 30.0, threshold=threshold), space)
    core.apply(FusionConfig(**config))
    return core


@pytest.fixture
def core() -> FusionCore:
    return make_core()


def showing(
    sensor: str, label: int, stamp: int = START, modality: str = "image", quality: float = 1.0
) -> Embedding:
    return embedding(sensor, stamp, modality, vector=LABELS.class_centres[label], quality=quality)


def test_without_a_live_sensor_the_answer_is_empty(core: FusionCore) -> None:
    nothing = core.step(START)
    assert (nothing.stamp, nothing.labels, nothing.contributions) == (START, (), ())
    assert nothing.fused is None
    assert nothing.answer is None


def test_it_recognises_what_the_sensors_show(core: FusionCore) -> None:
    core.update(showing("camera", 3, START), START)
    core.update(showing("mic", 3, START + 5, "audio"), START + 5)
    recognition = core.step(START + 10)
    assert recognition.answer == "three"
    assert recognition.stamp == START + 5, "the newest contributing sample"
    assert len(recognition.labels) == 3
    scores = [label.score for label in recognition.labels]
    assert scores == sorted(scores, reverse=True)
    assert scores[0] > 0.5
    assert {c.sensor for c in recognition.contributions} == {"camera", "mic"}
    assert sum(c.weight for c in recognition.contributions) == pytest.approx(1, abs=1e-6)
    assert recognition.fused is not None
    assert np.allclose(recognition.fused, LABELS.class_centres[3], atol=1e-5)


def test_the_answer_ends_with_the_last_live_sensor(core: FusionCore) -> None:
    core.update(showing("camera", 3), START)
    core.update(showing("mic", 3, START, "audio"), START)
    assert core.step(START + seconds(0.5) - 1).answer == "three"
    only_mic = core.step(START + seconds(0.5))
    assert [c.sensor for c in only_mic.contributions] == ["mic"]
    assert core.step(START + seconds(1.5)).labels == ()
    core.update(showing("camera", 4, START + seconds(2)), START + seconds(2))
    assert core.step(START + seconds(2)).answer == "four"
    core.live_set.withdraw("camera", START + seconds(2))
    assert core.step(START + seconds(2)).labels == ()


def test_the_scores_of_one_sensor_are_what_its_evidence_allows() -> None:
    """softmax(exp(evidence) cosines)."""
    for evidence in (0.5, 2.5):
        core = make_core(threshold=0.0, top_k=10)
        seen = embedding("a", START, evidence=evidence)
        core.update(seen, START)
        sure = np.exp(np.exp(evidence) * LABELS.similarity(seen.vector).astype(float))
        expected = sure / sure.sum()
        got = {label.label: label.score for label in core.step(START).labels}
        assert got == pytest.approx(dict(zip(NAMES, expected.tolist(), strict=True)), rel=1e-4)


def test_unknown_comes_first_below_the_threshold_and_the_labels_follow() -> None:
    between = LABELS.class_centres[0] + LABELS.class_centres[1] + LABELS.class_centres[2]
    seen = embedding(vector=between / np.linalg.norm(between))
    strict, lax = make_core(unknown_threshold=0.9), make_core(threshold=0.9, unknown_threshold=0.0)
    for core in (strict, lax):
        core.update(seen, START)
    labels = strict.step(START).labels
    assert labels[0].label == "unknown"
    assert len(labels) == 4
    assert labels[0].score >= labels[1].score
    assert sum(label.score for label in labels) <= 1
    guesses = lax.step(START).labels
    assert [label.label for label in guesses] == [label.label for label in labels[1:]]


def test_invalid_muted_and_gone_sensors_are_not_fused(core: FusionCore) -> None:
    core.update(showing("camera", 3), START)
    core.update(showing("mic", 7, START, "audio"), START)
    core.live_set.mute(["mic"])
    assert core.step(START).answer == "three"
    core.live_set.mute([])
    core.live_set.leave("camera", START)
    assert core.step(START).answer == "seven"
    broken = embedding("mic", START + 1, "audio", vector=np.full(SPACE.dim, np.inf, np.float32))
    assert not core.update(broken, START + 1)
    assert core.step(START + 1).labels == ()


def test_statuses_carry_the_weights_of_the_latest_step(core: FusionCore) -> None:
    core.update(showing("camera", 3), START)
    core.update(showing("mic", 3, START, "audio"), START)
    recognition = core.step(START)
    weights = {s.sensor: s.weight for s in core.statuses(START)}
    assert weights == {c.sensor: c.weight for c in recognition.contributions}
    core.step(START + seconds(60))
    assert [s.weight for s in core.statuses(START + seconds(60))] == [0.0, 0.0]


def test_sensors_that_do_not_fit_are_named() -> None:
    core = make_core(max_sensors=2)
    for name, quality in (("a", 1.0), ("b", 0.1), ("c", 0.9)):
        core.update(showing(name, 3, quality=quality), START)
    recognition = core.step(START)
    assert core.left_out == ("b",)
    assert recognition.contributions[-1].sensor == "b"
    assert recognition.contributions[-1].weight == 0
    assert [("no more sensors" in s.reason) for s in core.statuses(START)] == [False, True, False]
    core.live_set.leave("a", START)
    core.step(START)
    assert core.left_out == ()


@given(st.permutations(range(6)), st.integers(0, 1000))
def test_the_answer_does_not_depend_on_the_order_of_arrival(order: list[int], seed: int) -> None:
    live = [
        embedding(f"s{k}", START - k, modality, vector=unit(seed * 6 + k), evidence=k / 2, quality=1 - k / 10)
        for k, modality in enumerate(MODALITIES)
    ]
    straight, shuffled = make_core(), make_core()
    for made in live:
        straight.update(made, START)
    for k in order:
        shuffled.update(live[k], START)
    one, other = straight.step(START), shuffled.step(START)
    assert one.labels == other.labels
    assert one.contributions == other.contributions
    assert np.array_equal(one.fused, other.fused)  # type: ignore[arg-type]


@given(st.permutations("abcdef"), st.integers(0, 1000))
def test_the_answer_does_not_depend_on_the_names_of_sensors(names: list[str], seed: int) -> None:
    answers = []
    for calling in (names, sorted(names)):
        core = make_core(top_k=10)
        for k, modality in enumerate(MODALITIES):
            core.update(
                embedding(calling[k], START, modality, vector=unit(seed * 6 + k), evidence=k / 2), START
            )
        recognition = core.step(START)
        answers.append({label.label: label.score for label in recognition.labels})
        weights = {c.sensor: c.weight for c in recognition.contributions}
        answers.append({str(k): weights[calling[k]] for k in range(6)})
    assert answers[0] == pytest.approx(answers[2], rel=1e-3)
    assert answers[1] == pytest.approx(answers[3], rel=1e-3)


def test_a_label_bank_of_another_space_is_refused() -> None:
    with pytest.raises(SpaceMismatch, match="16"):
        make_core(space=Space("other", 8))


@pytest.mark.parametrize("sensor", ["one", "two"])
def test_a_sensor_with_a_clock_of_its_own_does_not_stamp_the_answer(core: FusionCore, sensor: str) -> None:
    """One sensor an hour ahead; the other, once it is live, is 20 ms old."""
    ahead = START + seconds(3600)
    core.update(showing("one", 3, ahead), START)
    assert core.step(START).stamp == START, "its receipt, since nothing better is known"
    core.update(showing("two", 3, START + seconds(0.08), "audio"), START + seconds(0.1))
    assert core.step(START + seconds(0.1)).stamp == START + seconds(0.08)
    core.update(showing("one", 3, ahead + seconds(0.1)), START + seconds(0.1))
    assert core.step(START + seconds(0.2)).stamp == START + seconds(0.1)
    core.live_set.leave(sensor, START + seconds(0.2))
    assert START < core.step(START + seconds(0.2)).stamp <= START + seconds(0.1)


def test_a_foreign_clock_does_not_make_the_others_look_old() -> None:
    core = make_core(max_sensors=2)
    core.update(showing("ahead", 3, START + seconds(3600), quality=0.5), START)
    for name in ("a", "b"):
        core.update(showing(name, 3, quality=0.9), START)
    assert core.step(START).answer == "three"
    assert core.left_out == ("ahead",)


def test_settings_may_change_while_it_runs(core: FusionCore) -> None:
    core.update(showing("camera", 3), START)
    assert core.step(START).answer == "three"
    core.apply(FusionConfig(top_k=1, unknown_threshold=1.0))
    assert [label.label for label in core.step(START).labels] == ["unknown", "three"]
    core.apply(FusionConfig(muted_sensors=("camera",)))
    assert core.step(START).labels == ()
    core.apply(FusionConfig())
    assert core.step(START).answer == "three"


@pytest.mark.parametrize("labels", [3, 1000])
def test_a_step_with_eight_sensors_is_quick(labels: int) -> None:
    space, rng = Space("big", 384), np.random.default_rng(0)
    centres = rng.standard_normal((labels, 1, 384)).astype(np.float32)
    bank_of_many = LabelBank(tuple(f"label {k}" for k in range(labels)), centres)
    core = make_core(labels=bank_of_many, space=space)
    for k in range(8):
        modality = MODALITIES[k % len(MODALITIES)]
        core.update(embedding(f"s{k}", START, modality, vector=unit(k, 384), space=space.tag), START)
    times = []
    for _ in range(50):
        begin = time.perf_counter()
        assert len(core.step(START).labels) >= 3
        times.append(time.perf_counter() - begin)
    assert min(times) < 0.01


def manifest_with(folder: Path, change: Callable[[Any], None]) -> Bundle:
    """A stub bundle whose manifest was changed."""
    write_stub_bundle(folder)
    manifest = yaml.safe_load((folder / "bundle.yaml").read_text())
    change(manifest)
    (folder / "bundle.yaml").write_text(yaml.safe_dump(manifest))
    return Bundle.load(folder)


def test_it_opens_a_bundle_as_configured(tmp_path: Path) -> None:
    bundle = Bundle.load(write_stub_bundle(tmp_path / "stub"))
    core = FusionCore.open(bundle, FusionConfig(top_k=2, muted_sensors=("mic",)))
    assert core.labels.names == tuple("0123456789")
    assert (core.top_k, core.unknown_threshold) == (2, 0.3)
    shown = core.labels.class_centres[4]
    for sensor in ("camera", "mic", "other"):
        core.update(embedding(sensor, vector=shown, space=bundle.space.tag), START)
    recognition = core.step(START)
    assert recognition.answer == "4"
    assert {c.sensor for c in recognition.contributions} == {"camera", "other"}


def test_a_fusion_model_of_other_labels_is_refused(tmp_path: Path) -> None:
    """One that was exported for a fixed number of classes."""
    bundle = Bundle.load(write_stub_bundle(tmp_path / "stub"))
    twelve = np.linalg.qr(np.random.default_rng(0).normal(size=(64, 64)))[0][:12, None].astype(np.float32)
    bundle.labels_path.write_bytes(LabelBank(tuple("abcdefghijkl"), twelve).to_npz())
    with pytest.raises(
        BundleError, match=r"fusion.onnx .* 'centres' must be float32 \[10, 64\], got .*\[12, 64\]"
    ):
        FusionCore.open(bundle, FusionConfig())


def test_the_interval_of_samples_in_the_bundle_is_expected_until_measured(tmp_path: Path) -> None:
    def slow_audio(manifest: Any) -> None:
        manifest["encoders"]["audio"]["preprocessing"]["hop_s"] = 2.0

    bundle = manifest_with(tmp_path / "stub", slow_audio)
    core = FusionCore.open(bundle, FusionConfig())
    for sensor, modality, lives in (("mic", "audio", 6.0), ("camera", "image", 0.5)):
        core.live_set.mute([other for other in ("mic", "camera") if other != sensor])
        vector = core.labels.class_centres[4]
        assert core.update(embedding(sensor, START, modality, vector, bundle.space.tag), START)
        assert core.live_set.next_expiry(START) == START + seconds(lives)
