"""Every simulated sensor gives the raw sample of its modality, repeatably, and shows which digit it is."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest

from omnibind_ros.errors import ConfigError
from omnibind_ros.host.data.scene import Scene, simulator
from omnibind_ros.modalities.event.events import Events

NAMES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


def check_image(sample: Any) -> None:
    assert sample.dtype == np.uint8 and sample.ndim == 3 and sample.shape[2] == 3
    assert 64 <= sample.shape[0] == sample.shape[1] <= 128
    assert np.ptp(sample.mean(2)) > 50


def check_text(sample: Any) -> None:
    assert isinstance(sample, str) and 0 < len(sample) < 60


def check_audio(sample: Any) -> None:
    assert sample.dtype == np.float32 and sample.ndim == 1
    assert 0.12 * 8000 <= len(sample) <= 1.3 * 8000
    assert np.isfinite(sample).all() and 0.02 <= np.abs(sample).max() <= 1


def check_event(sample: Any) -> None:
    assert isinstance(sample, Events) and (sample.width, sample.height) == (34, 34)
    assert (
        sample.x.dtype == sample.y.dtype == np.uint16
        and sample.t.dtype == np.int64
        and sample.p.dtype == np.bool_
    )
    assert len(sample.x) == len(sample.y) == len(sample.t) == len(sample.p)
    assert 400 < len(sample) < 20000
    assert sample.x.max() < 34 and sample.y.max() < 34
    assert sample.t[0] >= 0 and np.all(np.diff(sample.t) >= 0) and 280e6 < sample.t[-1] < 330e6
    assert 0.3 < sample.p.mean() < 0.7


def check_touch(sample: Any) -> None:
    assert sample.shape == (240, 16, 16) and sample.dtype == np.float32
    assert set(np.unique(sample)) == {0.0, 1.0}


def check_thermal(sample: Any) -> None:
    assert sample.shape == (32, 32) and sample.dtype == np.float32
    assert np.isfinite(sample).all() and np.ptp(sample) > 0


def check_point_cloud(sample: Any) -> None:
    assert sample.dtype == np.float32 and sample.ndim == 2 and sample.shape[1] == 3
    assert 20 <= len(sample) <= 220 and np.isfinite(sample).all()
    assert 0.05 < np.ptp(sample, axis=0).max() < 0.8 and np.abs(sample).max() < 1


CHECKS = {
    "image": check_image, "text": check_text, "audio": check_audio, "event": check_event,
    "touch": check_touch, "thermal": check_thermal, "point_cloud": check_point_cloud,
}  # fmt: skip


def as_vector(modality: str, sample: Any) -> Any:
    """What a sample shows, small enough to compare by distance."""
    if modality == "image":
        grey = sample.astype(np.float32).mean(2)
        rim = np.median(np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]]))
        return drawing(np.argwhere(np.abs(grey - rim) > 0.5 * np.abs(grey - rim).max()))
    if modality == "event":
        return np.concatenate([
            drawing(np.stack([sample.y, sample.x], 1)[(sample.t >= a) & (sample.t < b)])
            for a, b in ((0, 100e6), (100e6, 205e6), (205e6, 320e6))
        ])  # fmt: skip
    if modality == "touch":
        return drawing(np.argwhere(sample[:, :, :15])[:, 1:])
    if modality == "thermal":
        inner = sample[2:30, 2:28]
        low, high = np.percentile(inner, (50, 99))
        return drawing(np.argwhere(inner > 0.5 * (low + high)))
    if modality == "point_cloud":
        return drawing(np.stack([-sample[:, 1], sample[:, 0]], 1))
    return spectrogram(sample)


def drawing(places: Any) -> Any:
    """(row, column) places -> a blurred 16 x 16 picture of them, centred and scaled."""
    places = places.astype(np.float32)
    centre, spread = places.mean(0), max(float(places.std(0).max()), 1e-6)
    cells = np.round((places - centre) / spread * 3.8 + 7.5).astype(int)
    picture = np.zeros((16, 16), np.float32)
    np.add.at(picture, tuple(cells[((cells >= 0) & (cells < 16)).all(1)].T), 1)
    picture = cv2.GaussianBlur(np.sqrt(picture), (0, 0), 1.0)
    return picture.ravel() / np.linalg.norm(picture)


def spectrogram(sound: Any) -> Any:
    """Logarithmic spectrum over 20 stretches of the word, 24 bands."""
    windows = np.lib.stride_tricks.sliding_window_view(sound, 200)[::40] * np.hanning(200)
    power = np.abs(np.fft.rfft(windows, 512))[:, 6:246] ** 2
    edges = np.round(np.geomspace(6, 246, 25) - 6).astype(int)[:-1]
    log = np.log(np.add.reduceat(power, edges, axis=1) + 1e-4 * power.sum(1).max())
    log = cv2.resize(log.astype(np.float32), (24, 20), interpolation=cv2.INTER_AREA)
    return ((log - log.mean()) / log.std()).ravel()


@pytest.mark.parametrize("label", range(10))
@pytest.mark.parametrize("modality", CHECKS)
def test_every_sample_is_what_its_modality_promises(modality: str, label: int) -> None:
    scene = Scene(label, seed=7)
    for _ in range(8):
        CHECKS[modality](scene.sample(modality))


@pytest.mark.parametrize("modality", CHECKS)
def test_a_seed_repeats_itself_whatever_the_other_sensors_do(modality: str) -> None:
    alone, busy = Scene(4, seed=1), Scene(4, seed=1)
    for other in CHECKS:
        if other != modality:
            busy.sample(other)
    for _ in range(3):
        a, b = alone.sample(modality), busy.sample(modality)
        if isinstance(a, Events):
            a, b = (np.stack([e.x, e.y, e.t, e.p]) for e in (a, b))
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("modality", [m for m in CHECKS if m != "text"])
def test_no_two_repetitions_are_alike(modality: str) -> None:
    scene, other = Scene(2, seed=0), Scene(2, seed=1)
    samples = [scene.sample(modality), scene.sample(modality), other.sample(modality)]
    as_bytes = {(s.t if isinstance(s, Events) else s).tobytes() for s in samples}
    assert len(as_bytes) == 3


@pytest.mark.parametrize(
    ("modality", "at_least"),
    [
        ("image", 0.9),
        ("event", 0.9),
        ("touch", 0.75),
        ("thermal", 0.85),
        ("point_cloud", 0.85),
        ("audio", 0.85),
    ],
)
def test_the_nearest_other_sample_shows_the_same_digit(modality: str, at_least: float) -> None:
    """Nearest neighbours in plain pixels; every digit alone must also be found far above chance (0.1)."""
    rng = np.random.default_rng(11)
    known, asked = (
        np.array(
            [[as_vector(modality, simulator(modality)(label, rng)) for _ in range(n)] for label in range(10)]
        )
        for n in (40, 15)
    )
    flat = known.reshape(400, -1)
    distance = ((asked.reshape(150, 1, -1) - flat) ** 2).sum(-1)
    answers = np.argmin(distance, axis=1).reshape(10, 15) // 40
    right = (answers == np.arange(10)[:, None]).mean(1)
    assert right.mean() >= at_least, right
    assert right.min() >= 0.45, right


SEGMENTS = {
    "top": ((0, 0), (0, 1)), "middle": ((1, 0), (1, 1)), "bottom": ((2, 0), (2, 1)),
    "upper left": ((0, 0), (1, 0)), "upper right": ((0, 1), (1, 1)),
    "lower left": ((1, 0), (2, 0)), "lower right": ((1, 1), (2, 1)),
}  # fmt: skip
DARK = {
    0: ("middle",), 1: ("top", "middle", "bottom", "upper left", "lower left"),
    2: ("upper left", "lower right"), 3: ("upper left", "lower left"),
    4: ("top", "bottom", "lower left"), 5: ("upper right", "lower left"), 6: ("upper right",),
    7: ("middle", "bottom", "upper left", "lower left"), 8: (), 9: ("lower left",),
}  # fmt: skip


def seven_segments(label: int) -> Any:
    """The digit of a pocket calculator, as places (row, column)."""
    along = np.linspace(0, 1, 40)[:, None]
    lit = [np.array(ends, float) for name, ends in SEGMENTS.items() if name not in DARK[label]]
    return np.concatenate([start + along * (end - start) for start, end in lit])


@pytest.mark.parametrize("modality", ["image", "touch", "thermal", "point_cloud"])
def test_on_average_a_digit_looks_like_that_of_a_calculator(modality: str) -> None:
    """Among ten digits each; what all have in common is left out."""
    rng = np.random.default_rng(5)
    written = np.array([
        np.mean([as_vector(modality, simulator(modality)(label, rng)) for _ in range(30)], axis=0)
        for label in range(10)
    ])  # fmt: skip
    shown = np.array([drawing(seven_segments(label)) for label in range(10)])
    written, shown = (v - v.mean(0) for v in (written, shown))
    unit = [v / np.linalg.norm(v, axis=1, keepdims=True) for v in (written, shown)]
    fits = unit[0] @ unit[1].T
    assert fits.argmax(axis=1).tolist() == list(range(10)), fits.round(2)


def test_words_hiss_where_their_spelling_says() -> None:
    """By energy above 3 kHz: "six" and "seven" begin with a hiss, of those two only "six" ends in one."""
    rng = np.random.default_rng(3)
    shrill = np.zeros((10, 2))
    for label in range(10):
        for _ in range(25):
            sound = simulator("audio")(label, rng)
            loud = np.flatnonzero(np.abs(sound) > 0.05 * np.abs(sound).max())
            for end, at in enumerate((loud[0], max(0, loud[-1] - 400))):
                power = np.abs(np.fft.rfft(sound[at : at + 400])) ** 2
                shrill[label, end] += power[150:].sum() / power.sum() / 25
    assert shrill[[6, 7], 0].min() > 2 * shrill[[1, 4, 5, 9], 0].max(), shrill.round(2)
    assert shrill[6, 1] > 2 * shrill[[1, 2, 4, 5, 7, 9], 1].max(), shrill.round(2)


def test_text_names_the_digit_and_no_other() -> None:
    for label in range(10):
        scene = Scene(label)
        for _ in range(50):
            words = "".join(c if c.isalnum() else " " for c in scene.sample("text").lower()).split()
            named = {
                i for i, name in enumerate(NAMES) for word in words if word == str(i) or undoubled(word, name)
            }
            assert named == {label}, words


def undoubled(word: str, name: str) -> bool:
    """Is `word` the `name`, with one letter typed twice at most?"""
    return word == name or any(word == name[: i + 1] + name[i:] for i in range(len(name)))


def test_a_wrong_label_or_modality_is_refused_by_name() -> None:
    with pytest.raises(ConfigError, match="label 10"):
        Scene(10)
    with pytest.raises(ConfigError, match=r"radar.*image"):
        Scene(1).sample("radar")
