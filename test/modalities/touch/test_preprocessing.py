"""Tactile skins: whole strokes are cut out of the stream; bad frames, mixed encodings, no contact."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from sensor_messages import T0, feed_all, image

from omnibind_ros.errors import BadMessage
from omnibind_ros.host.data.scene import Scene
from omnibind_ros.modalities.registry import make_preprocessor


def strokes(raw: np.ndarray, times: int = 2, rest: int = 96) -> list[Any]:
    frames = np.concatenate([np.concatenate([np.zeros((rest, 16, 16), np.float32), raw])] * times)
    frames = np.concatenate([frames, np.zeros((rest, 16, 16), np.float32)])
    return [
        image((frame * 255).astype(np.uint8), "mono8", T0 + i * 10**9 // 120)
        for i, frame in enumerate(frames)
    ]


@pytest.mark.parametrize("label", [0, 1, 4, 8])
def test_whole_strokes_are_cut_out_of_a_stream_of_frames(label):
    preprocessor, raw = make_preprocessor("touch"), Scene(label).sample("touch")
    samples = feed_all(preprocessor, strokes(raw))
    assert len(samples) >= 2
    recorded = preprocessor.prepare(raw)
    for sample in samples:
        assert np.abs(sample.data - recorded).max() < 1e-5


def test_a_bad_frame_amid_a_hop_is_refused_at_once_and_leaves_no_trace():
    stream = strokes(Scene(4).sample("touch"))
    undisturbed = feed_all(make_preprocessor("touch"), stream)
    preprocessor = make_preprocessor("touch")
    samples = feed_all(preprocessor, stream[:200])
    with pytest.raises(BadMessage, match="not finite"):
        preprocessor.feed(image(np.full((16, 16), np.nan, "<f4"), "32FC1"))
    with pytest.raises(BadMessage, match="cut"):
        preprocessor.feed(replace(stream[200], data=stream[200].data[:-1]))
    samples += feed_all(preprocessor, stream[200:])
    assert samples
    for sample, expected in zip(samples, undisturbed, strict=True):
        np.testing.assert_array_equal(sample.data, expected.data)


def test_a_skin_may_change_its_encoding_amid_a_hop():
    raw = Scene(4).sample("touch")
    plain = feed_all(make_preprocessor("touch"), strokes(raw))
    mixed = strokes(raw)
    for i in range(0, len(mixed), 7):
        pixels = np.frombuffer(mixed[i].data, np.uint8).reshape(16, 16)
        mixed[i] = image((pixels / np.float32(255)).astype("<f4"), "32FC1", T0 + i * 10**9 // 120)
    samples = feed_all(make_preprocessor("touch"), mixed)
    for sample, expected in zip(samples, plain, strict=True):
        np.testing.assert_allclose(sample.data, expected.data, atol=1e-6)


def test_an_untouched_skin_is_nothing():
    samples = feed_all(make_preprocessor("touch"), strokes(np.zeros((240, 16, 16), np.float32)))
    assert {(s.quality, s.reason) for s in samples} == {(0.0, "no contact")}


def test_a_skin_of_another_size_is_refused():
    with pytest.raises(BadMessage, match="taxels"):
        make_preprocessor("touch").feed(image(np.zeros((8, 8), np.uint8), "mono8"))
