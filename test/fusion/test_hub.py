"""The hub: embeddings in, recognitions out, and never a stale answer."""

from __future__ import annotations

import time

import numpy as np
import pytest
from fusion_samples import SPACE, START, embedding, seconds, unit
from hypothesis import given
from hypothesis import strategies as st
from reference_fusion import FusionParameters, ReferenceFusion

from omnibind_ros.bundle.label_bank import LabelBank
from omnibind_ros.errors import SpaceMismatch
from omnibind_ros.fusion import AdaptiveFusion, Calibration, FusionHub, MeanFusion
from omnibind_ros.types import Embedding, Space

NAMES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
MODALITIES = ("image", "audio", "event", "touch", "thermal", "point_cloud")


def bank(dim: int = SPACE.dim) -> LabelBank:
    rng = np.random.default_rng(0)
    centres = rng.standard_normal((10, 1, dim)) + 0.1 * rng.standard_normal((10, 3, dim))
    return LabelBank(NAMES, centres.astype(np.float32))


LABELS = bank()


def make_hub(threshold: float = 0.5, max_sensors: int = 8, **options: float) -> FusionHub:
    engine = ReferenceFusion(FusionParameters.initial(len(MODALITIES), spread=0.3))
    fusion = AdaptiveFusion(engine, MODALITIES, max_sensors, LABELS.class_centres)
    return FusionHub(fusion, LABELS, Calibration((20.0, 30.0), threshold), SPACE, **options)  # type: ignore[arg-type]


@pytest.fixture
def hub() -> FusionHub:
    return make_hub()


def showing(
    sensor: str, label: int, stamp: int = START, modality: str = "image", quality: float = 1.0
) -> Embedding:
    return embedding(sensor, stamp, modality, vector=LABELS.class_centres[label], quality=quality)


def test_without_a_live_sensor_the_answer_is_empty(hub: FusionHub) -> None:
    nothing = hub.step(START)
    assert (nothing.stamp, nothing.labels, nothing.contributions) == (START, (), ())
    assert nothing.fused is None
    assert nothing.answer is None


def test_it_recognises_what_the_sensors_show(hub: FusionHub) -> None:
    hub.update(showing("camera", 3, START), START)
    hub.update(showing("mic", 3, START + 5, "audio"), START + 5)
    recognition = hub.step(START + 10)
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


def test_the_answer_ends_with_the_last_live_sensor(hub: FusionHub) -> None:
    hub.update(showing("camera", 3), START)
    hub.update(showing("mic", 3, START, "audio"), START)
    assert hub.step(START + seconds(0.5) - 1).answer == "three"
    only_mic = hub.step(START + seconds(0.5))
    assert [c.sensor for c in only_mic.contributions] == ["mic"]
    assert hub.step(START + seconds(1.5)).labels == ()
    hub.update(showing("camera", 4, START + seconds(2)), START + seconds(2))
    assert hub.step(START + seconds(2)).answer == "four"
    hub.live_set.goodbye("camera", START + seconds(2))
    assert hub.step(START + seconds(2)).labels == ()


def test_scores_are_the_calibrated_probabilities_for_that_many_sensors() -> None:
    hub = make_hub(top_k=10)
    for count, sensor in enumerate(["a", "b"], start=1):
        hub.update(embedding(sensor), START)
        recognition = hub.step(START)
        assert recognition.fused is not None
        cosines = LABELS.similarity(recognition.fused)
        expected = Calibration((20.0, 30.0)).probabilities(cosines, count)
        got = {label.label: label.score for label in recognition.labels if label.label != "unknown"}
        assert got == pytest.approx(dict(zip(NAMES, expected.tolist(), strict=True)))


def test_unknown_comes_first_below_the_threshold_and_the_guesses_stay() -> None:
    between = LABELS.class_centres[0] + LABELS.class_centres[1] + LABELS.class_centres[2]
    seen = embedding(vector=between / np.linalg.norm(between))
    strict, lax = make_hub(unknown_threshold=0.9), make_hub(threshold=0.9, unknown_threshold=0.0)
    for hub in (strict, lax):
        hub.update(seen, START)
    labels = strict.step(START).labels
    assert labels[0].label == "unknown"
    assert len(labels) == 4
    assert labels[0].score >= labels[1].score
    assert lax.step(START).labels == labels[1:]


def test_invalid_muted_and_gone_sensors_have_no_say(hub: FusionHub) -> None:
    hub.update(showing("camera", 3), START)
    hub.update(showing("mic", 7, START, "audio"), START)
    hub.live_set.mute(["mic"])
    assert hub.step(START).answer == "three"
    hub.live_set.mute([])
    hub.live_set.leave("camera", START)
    assert hub.step(START).answer == "seven"
    broken = embedding("mic", START + 1, "audio", vector=np.full(SPACE.dim, np.inf, np.float32))
    assert not hub.update(broken, START + 1)
    assert hub.step(START + 1).labels == ()


def test_statuses_carry_the_weights_of_the_latest_step(hub: FusionHub) -> None:
    hub.update(showing("camera", 3), START)
    hub.update(showing("mic", 3, START, "audio"), START)
    recognition = hub.step(START)
    weights = {s.sensor: s.weight for s in hub.statuses(START)}
    assert weights == {c.sensor: c.weight for c in recognition.contributions}
    hub.step(START + seconds(60))
    assert [s.weight for s in hub.statuses(START + seconds(60))] == [0.0, 0.0]


def test_sensors_that_do_not_fit_are_named() -> None:
    hub = make_hub(max_sensors=2)
    for name, quality in (("a", 1.0), ("b", 0.1), ("c", 0.9)):
        hub.update(showing(name, 3, quality=quality), START)
    recognition = hub.step(START)
    assert hub.left_out == ("b",)
    assert recognition.contributions[-1].sensor == "b"
    assert recognition.contributions[-1].weight == 0
    assert [("no more sensors" in s.reason) for s in hub.statuses(START)] == [False, True, False]
    hub.live_set.leave("a", START)
    hub.step(START)
    assert hub.left_out == ()


@given(st.permutations(range(6)), st.integers(0, 1000))
def test_the_answer_does_not_depend_on_who_spoke_first(order: list[int], seed: int) -> None:
    live = [
        embedding(f"s{k}", START - k, modality, vector=unit(seed * 6 + k), evidence=k / 2, quality=1 - k / 10)
        for k, modality in enumerate(MODALITIES)
    ]
    straight, shuffled = make_hub(), make_hub()
    for made in live:
        straight.update(made, START)
    for k in order:
        shuffled.update(live[k], START)
    one, other = straight.step(START), shuffled.step(START)
    assert one.labels == other.labels
    assert one.contributions == other.contributions
    assert np.array_equal(one.fused, other.fused)  # type: ignore[arg-type]


@given(st.permutations("abcdef"), st.integers(0, 1000))
def test_the_answer_does_not_depend_on_what_sensors_are_called(names: list[str], seed: int) -> None:
    answers = []
    for calling in (names, sorted(names)):
        hub = make_hub(top_k=10)
        for k, modality in enumerate(MODALITIES):
            hub.update(
                embedding(calling[k], START, modality, vector=unit(seed * 6 + k), evidence=k / 2), START
            )
        recognition = hub.step(START)
        answers.append({label.label: label.score for label in recognition.labels})
        weights = {c.sensor: c.weight for c in recognition.contributions}
        answers.append({str(k): weights[calling[k]] for k in range(6)})
    assert answers[0] == pytest.approx(answers[2], rel=1e-3)
    assert answers[1] == pytest.approx(answers[3], rel=1e-3)


def test_mean_fusion_serves_as_well() -> None:
    hub = FusionHub(MeanFusion(), LABELS, Calibration((20.0,), 0.5), SPACE)
    hub.update(showing("camera", 3), START)
    hub.update(showing("mic", 3, START, "audio"), START)
    assert hub.step(START).answer == "three"


def test_a_label_bank_of_another_space_is_refused() -> None:
    with pytest.raises(SpaceMismatch, match="16"):
        FusionHub(MeanFusion(), LABELS, Calibration((1.0,)), Space("other", 8))


def test_a_step_with_six_sensors_takes_no_time_worth_speaking_of() -> None:
    space, labels = Space("big", 384), bank(384)
    engine = ReferenceFusion(FusionParameters.initial(len(MODALITIES)))
    fusion = AdaptiveFusion(engine, MODALITIES, 8, labels.class_centres)
    hub = FusionHub(fusion, labels, Calibration((20.0,)), space)
    for k, modality in enumerate(MODALITIES):
        hub.update(embedding(f"s{k}", START, modality, vector=unit(k, 384), space=space.tag), START)
    times = []
    for _ in range(50):
        begin = time.perf_counter()
        hub.step(START)
        times.append(time.perf_counter() - begin)
    assert min(times) < 0.01
