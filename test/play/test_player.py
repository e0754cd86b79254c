"""What the player publishes is what a driver would: form, rate and pauses, readable by the adaptors."""

from __future__ import annotations

import threading
import time
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_bundle import picture, spoken

from omnibind_ros.errors import ConfigError
from omnibind_ros.messages.fields import stamp_of
from omnibind_ros.modalities.audio.messages import RECORDED_RATE
from omnibind_ros.modalities.event.events import Events
from omnibind_ros.modalities.event.evt3 import Evt3Decoder
from omnibind_ros.modalities.registry import make_preprocessor
from omnibind_ros.play.player import play_samples, raw_topic, shuffled

MS = 1_000_000
RNG = np.random.default_rng(0)


class Tape:
    """Keeps the messages."""

    def __init__(self, length: int = 10**9) -> None:
        self.messages: list[Any] = []
        self.stop = threading.Event()
        self._length = length

    def publish(self, message: Any) -> None:
        self.messages.append(message)
        if len(self.messages) >= self._length:
            self.stop.set()

    @property
    def stamps(self) -> np.ndarray:
        return np.array([stamp_of(message) for message in self.messages])


def play(modality: str, samples: Any, length: int = 10**9, **options: Any) -> Tape:
    tape = Tape(length)
    play_samples(tape.publish, modality, samples, tape.stop, **options)
    return tape


def some_events(count: int = 3000) -> Events:
    t = np.sort(RNG.integers(0, 300_000, count)) * 1000
    x, y = RNG.integers(0, 34, (2, count)).astype(np.uint16)
    return Events(x, y, t, RNG.random(count) < 0.5, 34, 34)


@pytest.mark.parametrize(
    ("modality", "sample", "period_ms"),
    [
        ("image", picture(0, RNG), 100),
        ("thermal", RNG.random((32, 32)).astype(np.float32), 1000 / 9),
        ("point_cloud", RNG.random((50, 3)).astype(np.float32), 200),
    ],
)
def test_a_camera_keeps_its_rate(modality: str, sample: Any, period_ms: float) -> None:
    begun = time.monotonic()
    tape = play(modality, [sample] * 8, rate=4.0)
    assert time.monotonic() - begun >= 7 * period_ms / 4e3
    assert len(tape.messages) == 8
    assert np.diff(tape.stamps) == pytest.approx(period_ms / 4 * MS, abs=2)
    assert abs(tape.stamps[-1] - time.time_ns()) < 2e9
    adaptor = make_preprocessor(modality)
    assert all(adaptor.feed(message) for message in tape.messages)


def test_a_text_is_a_string() -> None:
    tape = play("text", ["three", "four"], rate=50)
    assert [message.data for message in tape.messages] == ["three", "four"]
    assert raw_topic("text")[0] == "std_msgs/msg/String"


def test_a_microphone_never_falls_silent_to_the_bit() -> None:
    words = [spoken(label, RECORDED_RATE) for label in (0, 1, 2, 3)]
    tape = play("audio", words, rate=100)
    sound = np.stack([np.asarray(message.audio.data).view("<i2") for message in tape.messages])
    assert sound.shape[1] == 800, "50 ms at 16 kHz"
    assert sound.any(axis=1).all()
    assert len(sound) * 0.05 == pytest.approx(0.6 + 4 * (0.4 + 0.6), abs=0.05)
    level_db = 20 * np.log10(np.sqrt(np.mean(np.square(sound / 32768.0), axis=1)))
    assert sorted(level_db)[len(sound) // 2] < -60, "most of it is the quiet of the room"
    adaptor = make_preprocessor("audio")
    samples = [sample for message in tape.messages for sample in adaptor.feed(message)]
    assert len(samples) >= 4
    assert max(sample.quality for sample in samples) == 1.0


def test_events_are_those_of_the_recording_then_a_pause_with_stray_ones() -> None:
    recordings = [some_events(), some_events()]
    tape = play("event", recordings)
    assert [message.seq for message in tape.messages] == list(range(80)), "300 ms and 100 ms, twice"
    decoder = Evt3Decoder()
    decoded = Events.concatenate([decoder.decode(message) for message in tape.messages])
    assert (np.diff(decoded.t) >= 0).all()
    begin = int(decoded.t[0]) - int(recordings[0].t[0])
    first = decoded.between(begin, begin + 300 * MS)
    assert len(first) == len(recordings[0])
    assert np.array_equal(np.sort(first.x), np.sort(recordings[0].x))
    assert np.abs(first.t - begin - recordings[0].t).max() <= 2000, "microseconds, rounded"
    assert 0 < len(decoded.between(begin + 302 * MS, begin + 398 * MS)) < 100


def test_events_played_faster_happen_faster() -> None:
    tape = play("event", [some_events()], rate=4.0)
    decoder = Evt3Decoder()
    decoded = Events.concatenate([decoder.decode(message) for message in tape.messages])
    assert (np.diff(decoded.t) >= 0).all()
    assert int(decoded.t[-1] - decoded.t[0]) == pytest.approx(100 * MS, rel=0.05)


def test_a_skin_rests_between_strokes() -> None:
    stroke = np.zeros((240, 16, 16), np.float32)
    stroke[60:180, 8, 8] = 1.0
    tape = play("touch", [stroke, stroke], rate=50)
    touched = np.array([np.asarray(message.data).any() for message in tape.messages])
    assert len(touched) == 2 * (240 + 72), "2 s and 0.6 s at 120 Hz, twice"
    assert touched.sum() == 240
    adaptor = make_preprocessor("touch")
    assert any(adaptor.feed(message) for message in tape.messages)


def test_stop_is_obeyed_at_once() -> None:
    tape = Tape()
    tape.stop.set()
    play_samples(tape.publish, "text", ["never"], tape.stop)
    assert tape.messages == []


def test_after_being_held_up_it_goes_on_from_now_without_a_rush() -> None:
    def samples() -> Any:
        yield picture(0, RNG)
        time.sleep(1.0)
        while True:
            yield picture(0, RNG)

    tape = play("image", samples(), length=4)
    assert tape.stamps[1] - tape.stamps[0] >= 1e9
    assert (np.diff(tape.stamps[1:]) >= 99 * MS).all()


def test_a_covered_camera_is_black_and_noisy() -> None:
    tape = play("image", [picture(1, RNG)] * 3, rate=50, fault="covered")
    adaptor = make_preprocessor("image")
    assert [adaptor.feed(message)[0].quality for message in tape.messages] == [0, 0, 0]
    frames = [np.asarray(message.data) for message in tape.messages]
    assert not np.array_equal(frames[0], frames[1])


def test_a_frozen_camera_repeats_itself_to_the_bit() -> None:
    tape = play("image", (picture(k, RNG) for k in range(4)), length=5, rate=50, fault="frozen")
    frames = [bytes(np.asarray(message.data)) for message in tape.messages]
    assert len(frames) == 5
    assert len(set(frames)) == 1


def test_what_cannot_be_played_is_refused() -> None:
    with pytest.raises(ConfigError, match="did you mean 'audio'"):
        play("audoi", [])
    with pytest.raises(ConfigError, match="no fault 'cover'; did you mean 'covered'"):
        play("image", [], fault="cover")
    with pytest.raises(ConfigError, match="cannot be covered; take image or thermal"):
        play("audio", [], fault="covered")


@given(st.integers(2, 6), st.integers(0, 1000))
def test_nothing_comes_twice_in_a_row(count: int, seed: int) -> None:
    endless = shuffled(range(count), np.random.default_rng(seed), loop=True)
    drawn = [next(endless) for _ in range(5 * count)]
    assert all(a != b for a, b in pairwise(drawn))
    for begin in range(0, 5 * count, count):
        assert sorted(drawn[begin : begin + count]) == list(range(count))
    assert sorted(shuffled(range(count), np.random.default_rng(seed), loop=False)) == list(range(count))


def test_of_nothing_nothing_is_drawn() -> None:
    assert list(shuffled([], np.random.default_rng(0), loop=True)) == []
