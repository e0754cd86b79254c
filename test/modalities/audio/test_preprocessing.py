"""Microphones: whole words are cut out of the stream; silence, clipping, bad chunks."""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from sensor_messages import MS, T0, audio, feed_all, speech

from omnibind_ros.errors import BadMessage
from omnibind_ros.host.data.scene import Scene
from omnibind_ros.modalities.registry import make_preprocessor


def chunks(sound: np.ndarray, size: int = 400, rate: int = 8000) -> list[Any]:
    ends = range(size, len(sound) + 1, size)
    return [speech(sound[end - size : end], T0 + end * 10**9 // rate) for end in ends]


@dataclass
class Spoken:
    word: np.ndarray
    stream: np.ndarray


def spoken(label: int, words: int = 4, pause: float = 0.6) -> Spoken:
    rng = np.random.default_rng(label)
    word = Scene(label).sample("audio")
    rest = int(pause * 8000)
    stream = np.concatenate([np.concatenate([np.zeros(rest, np.float32), word]) for _ in range(words)])
    stream = np.concatenate([stream, np.zeros(rest, np.float32)])
    return Spoken(word, stream + rng.normal(0, 2e-4, len(stream)).astype(np.float32))


@pytest.mark.parametrize("label", range(10))
def test_whole_words_are_cut_out_of_a_stream(label):
    preprocessor = make_preprocessor("audio", rate=8000)
    stream = spoken(label)
    samples = feed_all(preprocessor, chunks(stream.stream))
    assert len(samples) >= 4
    recorded = preprocessor.prepare(stream.word)
    for sample in samples:
        assert sample.quality > 0.3
        # The stream's faint noise lifts the darkest spots; a torn word would be off by far more.
        assert np.abs(sample.data - recorded).mean() < 0.12


def test_the_stamp_of_a_sample_is_the_end_of_its_window():
    samples = feed_all(make_preprocessor("audio", rate=8000), chunks(spoken(3).stream))
    stamps = np.array([s.stamp for s in samples])
    assert (np.diff(stamps) >= 249 * MS).all()
    assert stamps[0] >= T0 + 1000 * MS


@pytest.mark.parametrize("size", [37, 160, 400, 1111])
def test_the_size_of_chunks_does_not_matter(size):
    samples = feed_all(make_preprocessor("audio", rate=8000), chunks(spoken(7).stream, size))
    recorded = make_preprocessor("audio").prepare(Scene(7).sample("audio"))
    assert len(samples) >= 3
    assert np.median([np.abs(s.data - recorded).mean() for s in samples]) < 0.12


def test_silence_is_nothing():
    samples = feed_all(make_preprocessor("audio", rate=8000), chunks(np.zeros(16000, np.float32)))
    assert samples
    assert {s.quality for s in samples} == {0.0}
    assert {s.reason for s in samples} == {"silence"}


def test_empty_chunks_do_not_pile_up():
    preprocessor = make_preprocessor("audio", rate=8000)
    size = len(pickle.dumps(preprocessor))
    feed_all(preprocessor, [speech(np.empty(0, np.float32))] * 2000)
    assert len(pickle.dumps(preprocessor)) < size + 1000


def test_clipped_sound_costs_quality():
    preprocessor = make_preprocessor("audio")
    verdict = preprocessor.check(np.clip(Scene(3).sample("audio") * 40, -1, 1))
    assert 0 < verdict.quality < 1
    assert "clipped" in verdict.reason


def test_an_odd_byte_of_audio_is_refused_and_the_stream_goes_on():
    preprocessor = make_preprocessor("audio", rate=8000)
    stream = chunks(spoken(2).stream)
    for message in stream[:20]:
        preprocessor.feed(message)
    with pytest.raises(BadMessage, match="3 bytes"):
        preprocessor.feed(audio(b"\x01\x02\x03"))
    assert feed_all(preprocessor, stream[20:])


def test_a_chunk_that_is_not_finite_is_refused_at_once_and_leaves_no_trace():
    stream = spoken(2).stream.astype("<f4")
    parts = [audio(stream[i : i + 400].tobytes(), T0 + i) for i in range(0, len(stream), 400)]
    undisturbed = feed_all(make_preprocessor("audio", rate=8000, sample_format="F32LE"), parts)
    preprocessor = make_preprocessor("audio", rate=8000, sample_format="F32LE")
    samples = feed_all(preprocessor, parts[:25])
    with pytest.raises(BadMessage, match="not finite"):
        preprocessor.feed(audio(np.full(9, np.nan, "<f4").tobytes()))
    samples += feed_all(preprocessor, parts[25:])
    assert samples and [s.stamp for s in samples] == [s.stamp for s in undisturbed]
    for sample, expected in zip(samples, undisturbed, strict=True):
        np.testing.assert_array_equal(sample.data, expected.data)
