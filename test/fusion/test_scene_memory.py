"""Scenes in time: the answer follows the world, and sensors that do not are named."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pytest
from fusion_samples import SPACE, START, seconds
from reference_fusion import FusionParameters, ReferenceFusion

from omnibind_ros.bundle.label_bank import LabelBank
from omnibind_ros.bundle.temperature_scaling import TemperatureScaling
from omnibind_ros.config.robot import FusionConfig
from omnibind_ros.fusion.adaptive_fusion import AdaptiveFusion
from omnibind_ros.fusion.core import FusionCore
from omnibind_ros.fusion.scene_memory import SceneMemory
from omnibind_ros.types import Embedding, Recognition, SensorState, SensorStatus

CENTRES = np.linalg.qr(np.random.default_rng(0).normal(size=(SPACE.dim, SPACE.dim)))[0][:10]
LABELS = LabelBank(tuple("0123456789"), CENTRES[:, None].astype(np.float32))
PERIOD_S = {"image": 0.1, "point_cloud": 0.1, "audio": 1.25, "touch": 2.5, "gripper": 0.5}
SPAN_S = {"audio": 1.25, "touch": 2.5}

Shows = Callable[[float], int]
"""Time in seconds -> the class that a sensor's sample shows."""


class Robot:
    """A fusion core and sensors at their rates. Times are seconds from the start."""

    def __init__(self, **memory: float) -> None:
        self.core = FusionCore(
            AdaptiveFusion(
                ReferenceFusion(FusionParameters.initial(2)), ("image", "audio"), 8, LABELS.class_centres
            ),
            LABELS,
            TemperatureScaling(scale_by_count=(12.0,), unknown_threshold=0.7),
            SPACE,
        )
        self.core.apply(FusionConfig.model_validate({"memory": memory}))
        self.now = 0.0
        self._rng = np.random.default_rng(1)
        self._due: dict[str, float] = {}

    def show(self, sensor: str, label: int, at: float, modality: str = "image", noise: float = 0.1) -> None:
        """One sample."""
        vector = LABELS.class_centres[label] + noise * self._rng.standard_normal(SPACE.dim) / 4
        vector = (vector / np.linalg.norm(vector)).astype(np.float32)
        stamp = START + seconds(at)
        self.core.update(
            Embedding(sensor, modality, vector, stamp, SPACE.tag, 1.0, 2.5, span=SPAN_S.get(modality, 0.0)),
            stamp,
        )

    def run(
        self, until: float, sensors: Mapping[str, tuple[str, Shows]], noise: Mapping[str, float] | None = None
    ) -> list[tuple[float, Recognition]]:
        """Sensors (modality, what they show) at their rates; the answer every 0.1 s."""
        answers = []
        while self.now < until:
            for sensor, (modality, shows) in sensors.items():
                if self._due.setdefault(sensor, self.now + 0.01 * len(self._due)) <= self.now + 1e-9:
                    label = shows(self.now - SPAN_S.get(modality, 0.0))
                    self.show(sensor, label, self.now, modality, (noise or {}).get(sensor, 0.1))
                    self._due[sensor] += PERIOD_S[modality]
            answers.append((self.now, self.step()))
            self.now = round(self.now + 0.1, 6)
        return answers

    def step(self) -> Recognition:
        return self.core.step(START + seconds(self.now))

    def status(self, sensor: str) -> SensorStatus:
        return next(s for s in self.core.statuses(START + seconds(self.now)) if s.sensor == sensor)


def scenes(at: float) -> int:
    """Every 6 s another class."""
    return int(max(at, 0.0) // 6) * 3 % 10


def always(label: int) -> Shows:
    return lambda at: label


def shifted(at: float) -> int:
    return (scenes(at) + 1) % 10


CAMERA, MICROPHONE, TOUCH = ("image", scenes), ("audio", scenes), ("touch", scenes)
DEPTH = ("point_cloud", scenes)


def not_right(answers: list[tuple[float, Recognition]], begin: float) -> float:
    judged = [r.answer == str(scenes(at)) for at, r in answers if at >= begin]
    return 1 - sum(judged) / len(judged)


def test_one_new_sample_outweighs_two_that_began_before_it() -> None:
    robot = Robot()
    robot.show("touch", 4, 3.0, "touch")
    robot.show("microphone", 4, 3.9, "audio")
    robot.show("camera", 4, 4.0)
    robot.now = 4.0
    assert robot.step().answer == "4"
    robot.show("camera", 7, 4.1)
    robot.now = 4.1
    recognition = robot.step()
    assert recognition.answer == "7"
    assert {c.sensor: round(c.weight, 3) for c in recognition.contributions} == {
        "camera": 1.0, "microphone": 0.0, "touch": 0.0,
    }  # fmt: skip
    assert "began before the scene changed" in robot.status("touch").reason


def test_one_of_three_samples_of_the_same_moment_does_not_win() -> None:
    robot = Robot()
    for sensor, label in (("a", 4), ("b", 4), ("c", 7)):
        robot.show(sensor, label, 0.0)
    assert robot.step().answer == "4"


def test_a_sample_that_shows_nothing_is_no_news() -> None:
    robot = Robot()
    robot.show("touch", 4, 3.0, "touch")
    robot.now = 4.0
    sure = robot.step().labels[0]
    vector = np.full(SPACE.dim, 0.25, np.float32)
    robot.core.update(
        Embedding("camera", "image", vector, START + seconds(4), SPACE.tag, 1.0, evidence=-10.0),
        START + seconds(4),
    )
    assert robot.step().labels[0].label == sure.label == "4"
    assert robot.step().labels[0].score == pytest.approx(sure.score, abs=0.02)


def test_a_probability_ages_with_the_sample_and_the_label_stays() -> None:
    robot = Robot(scene_change_hz=0.2)
    robot.show("touch", 4, 0.0, "touch")
    scores = []
    for robot.now in (0.0, 1.0, 3.0):
        assert robot.step().answer == "4"
        scores.append(robot.step().labels[0].score)
    for span, score in zip((2.5, 3.5, 5.5), scores, strict=True):
        kept = np.exp(-0.2 * span)
        assert score == pytest.approx(kept + (1 - kept) / 10, abs=0.01)


def test_what_a_sensor_showed_leaves_with_it() -> None:
    robot = Robot()
    robot.run(2.0, {"camera": ("image", always(4)), "microphone": ("audio", always(4))})
    robot.show("microphone", 7, robot.now, "audio")
    robot.core.live_set.withdraw("camera", START + seconds(robot.now))
    assert robot.step().answer == "7"
    robot.core.live_set.leave("microphone", START + seconds(robot.now))
    assert robot.step().labels == ()


def test_the_answer_follows_the_world() -> None:
    answers = Robot().run(36.0, {"camera": CAMERA, "microphone": MICROPHONE, "touch": TOUCH})
    assert not_right(answers, 6.0) < 0.03


@pytest.mark.parametrize("noise", [0.0, 0.02])
@pytest.mark.parametrize("others", [("microphone",), ("microphone", "touch"), ("depth", "microphone")])
def test_a_stuck_sensor_is_named_and_not_fused(others: tuple[str, ...], noise: float) -> None:
    healthy = {"microphone": MICROPHONE, "touch": TOUCH, "depth": DEPTH}
    robot = Robot()
    answers = robot.run(
        40.0, {"camera": ("image", always(0)), **{s: healthy[s] for s in others}}, {"camera": noise}
    )
    status = robot.status("camera")
    assert status.state is SensorState.FAULTY
    assert status.reason.startswith("stuck: its embeddings have not changed for ")
    assert "; faulty for " in status.reason
    assert status.health < 0.1
    without = Robot().run(40.0, {s: healthy[s] for s in others})
    assert not_right(answers, 26.0) <= not_right(without, 26.0) + 0.03
    assert all(robot.status(s).state is not SensorState.FAULTY for s in others)


@pytest.mark.parametrize(
    "shows, reason",
    [
        (shifted, "contradicts depth and microphone; faulty for "),
        (
            lambda at: scenes(at - 2.0),
            "late: it shows changes of the scene 1.9 s after other sensors; faulty for ",
        ),
    ],
    ids=["swapped", "delayed"],
)
def test_a_sensor_that_contradicts_two_others_is_named(shows: Shows, reason: str) -> None:
    robot = Robot()
    robot.run(30.0, {"camera": ("image", shows), "depth": DEPTH, "microphone": MICROPHONE})
    assert robot.status("camera").state is SensorState.FAULTY
    assert robot.status("camera").reason.startswith(reason)
    assert {c.sensor for c in robot.step().contributions} == {"depth", "microphone"}


def test_a_repaired_sensor_is_fused_again_after_its_probation() -> None:
    robot = Robot()
    others = {"depth": DEPTH, "microphone": MICROPHONE}
    robot.run(30.0, {"camera": ("image", shifted), **others})
    assert robot.status("camera").state is SensorState.FAULTY
    reasons, begin = set(), robot.now
    while robot.status("camera").state is SensorState.FAULTY and robot.now < 200:
        robot.run(robot.now + 0.5, {"camera": CAMERA, **others})
        reasons.add(robot.status("camera").reason)
    assert 10.0 <= robot.now - begin < 120
    assert any(reason.startswith("on probation: agrees again, ") for reason in reasons)
    assert not_right(robot.run(robot.now + 12, {"camera": CAMERA, **others}), 0.0) < 0.03


def test_a_still_scene_is_no_fault_of_a_noiseless_camera() -> None:
    robot = Robot()
    robot.run(120.0, {"camera": ("image", always(3)), "microphone": ("audio", always(3))}, {"camera": 0.0})
    assert robot.status("camera").state is SensorState.LIVE
    assert robot.status("camera").health > 0.9


@pytest.mark.parametrize("pairs", [1, 2])
def test_a_dispute_that_nobody_can_settle_is_reported_and_unknown(pairs: int) -> None:
    """Both sides follow the world; one calls everything by another name."""
    modality = ("image", "point_cloud")
    sides = {
        "ab"[side] + str(k): (modality[k], (scenes, shifted)[side]) for side in (0, 1) for k in range(pairs)
    }
    robot = Robot()
    answers = robot.run(40.0, sides)
    assert all(r.answer == "unknown" for at, r in answers if at > 26)
    a, b = (" and ".join(f"{side}{k}" for k in range(pairs)) for side in "ab")
    assert robot.core.dispute == f"{a} contradicts {b}"
    assert all(robot.status(sensor).state is SensorState.LIVE for sensor in sides)
    assert {c.sensor for c in robot.step().contributions} == sides.keys()


def test_held_text_does_not_age_and_may_be_repeated() -> None:
    robot = Robot()
    robot.show("operator", 4, 0.0, "text")
    robot.now = 20.0
    assert robot.step().labels[0].score > 0.95


def test_an_embedding_without_a_span_lasts_as_long_as_its_modality_does() -> None:
    robot = Robot()
    robot.core._spans = {"strange": 2.0}
    robot.show("strange", 4, 2.0, "strange")
    robot.show("camera", 7, 1.0)
    robot.now = 2.0
    robot.core.apply(FusionConfig.model_validate({"freshness": {"min_timeout_s": 5.0}}))
    robot.show("camera", 7, 1.0001)
    assert robot.step().answer == "7"


def test_memory_is_bounded() -> None:
    memory = SceneMemory(10)
    vector, shown = np.full(4, 0.5, np.float32), np.full(10, 0.1, np.float32)
    for k in range(600):
        memory.observe(Embedding(f"s{k}", "image", vector, START + k, 0), shown, 0.0, seconds(1))
    assert len(memory.sensors) == 256
    memory.judge(START + 600)
    assert len(memory.health.hypotheses(memory.sensors)) >= 1


def test_a_clock_that_jumps_back_starts_afresh() -> None:
    robot = Robot()
    robot.run(3.0, {"camera": ("image", always(4)), "microphone": ("audio", always(4))})
    robot.core.live_set.reset(START - seconds(100))
    robot.now = -100.0
    robot.show("camera", 7, -100.0)
    assert robot.step().answer == "7"
