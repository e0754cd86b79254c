"""What reaches the encoder live is what it was trained on: messages against the recordings they came from."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest

from omnibind_ros.errors import BadMessage, ConfigError
from omnibind_ros.host.data.scene import Scene
from omnibind_ros.modalities.event.events import Events
from omnibind_ros.modalities.event.evt3 import encode_evt3
from omnibind_ros.modalities.preprocessor import Preprocessor
from omnibind_ros.modalities.registry import having, make_preprocessor

T0 = 1_700_000_000_000_000_000
MS = 1_000_000


def header(stamp: int) -> Any:
    return SimpleNamespace(stamp=SimpleNamespace(sec=stamp // 10**9, nanosec=stamp % 10**9), frame_id="tool0")


def image(pixels: np.ndarray, encoding: str, stamp: int = T0) -> Any:
    height, width = pixels.shape[:2]
    return SimpleNamespace(
        header=header(stamp),
        height=height,
        width=width,
        encoding=encoding,
        is_bigendian=0,
        step=pixels.nbytes // height,
        data=pixels.tobytes(),
    )


def cloud(points: np.ndarray, stamp: int = T0) -> Any:
    fields = [SimpleNamespace(name=n, offset=4 * i, datatype=7, count=1) for i, n in enumerate("xyz")]
    return SimpleNamespace(
        header=header(stamp),
        height=1,
        width=len(points),
        fields=fields,
        is_bigendian=False,
        point_step=12,
        row_step=12 * len(points),
        data=points.astype("<f4").tobytes(),
        is_dense=True,
    )


def audio(sound: np.ndarray, stamp: int = T0) -> Any:
    data = (np.clip(sound, -1, 1) * 32767).astype("<i2").tobytes()
    return SimpleNamespace(header=header(stamp), audio=SimpleNamespace(data=data))


def packets(events: Events, start: int, length_ms: int = 10) -> list[Any]:
    found = []
    for sequence, begin in enumerate(range(0, int(events.t[-1]) + 1, length_ms * MS)):
        part = events.between(begin, begin + length_ms * MS)
        if len(part):
            found.append(
                SimpleNamespace(
                    header=header(start + int(part.t[0])),
                    height=events.height,
                    width=events.width,
                    seq=sequence,
                    time_base=0,
                    encoding="evt3",
                    is_bigendian=False,
                    events=encode_evt3(part),
                )
            )
    return found


def feed_all(adaptor: Preprocessor, messages: list[Any]) -> list[Any]:
    samples = []
    for message in messages:
        for sample in adaptor.feed(message):
            samples.append(SimpleNamespace(**{**vars(sample), "data": sample.data.copy()}))
    return samples


@pytest.mark.parametrize("modality", having("simulate"))
@pytest.mark.parametrize("label", range(10))
def test_every_simulated_sample_is_good_and_has_the_models_shape(modality, label):
    adaptor, raw = make_preprocessor(modality), Scene(label, seed=5).sample(modality)
    assert adaptor.check(raw).quality > 0.3
    data = adaptor.prepare(raw)
    assert data.shape == adaptor.input_shape
    assert data.dtype == np.float32
    assert np.isfinite(data).all()
    assert np.abs(data).max() < 20


def test_an_image_message_is_prepared_like_the_recording():
    adaptor, raw = make_preprocessor("image"), Scene(3).sample("image")
    (sample,) = adaptor.feed(image(raw, "rgb8"))
    np.testing.assert_array_equal(sample.data, adaptor.prepare(raw))
    assert (sample.stamp, sample.frame_id, sample.quality) == (T0, "tool0", 1.0)


def test_a_covered_lens_is_nothing():
    black = np.random.default_rng(0).normal(3, 1.5, (100, 100, 3)).clip(0, 255).astype(np.uint8)
    (sample,) = make_preprocessor("image").feed(image(black, "rgb8"))
    assert sample.quality == 0
    assert "black" in sample.reason


@pytest.mark.parametrize("shape", [(480, 640), (1080, 1920), (333, 1000)])
def test_a_big_picture_is_judged_like_a_small_one(shape):
    adaptor, raw = make_preprocessor("image"), Scene(3).sample("image")
    assert adaptor.check(cv2.resize(raw, shape[::-1])).quality == 1.0
    noise = np.random.default_rng(0).normal(10, 12, (*shape, 3)).clip(0, 255).astype(np.uint8)
    assert adaptor.check(noise).quality == 0


def test_a_saturated_picture_is_nothing():
    (sample,) = make_preprocessor("image").feed(image(np.full((50, 60, 3), 255, np.uint8), "rgb8"))
    assert sample.quality == 0
    assert "saturated" in sample.reason


@pytest.mark.parametrize("scale,offset", [(1.0, 0.0), (0.04, 293.15), (300.0, -5.0)])
def test_thermal_does_not_care_about_the_temperature_scale(scale, offset):
    adaptor, raw = make_preprocessor("thermal"), Scene(5).sample("thermal").astype(np.float32)
    (sample,) = adaptor.feed(image((raw * scale + offset).astype("<f4"), "32FC1"))
    np.testing.assert_allclose(sample.data, adaptor.prepare(raw), atol=0.02)


def test_a_covered_thermal_camera_is_nothing():
    noise = np.random.default_rng(0).normal(293, 0.05, (32, 32)).astype("<f4")
    (sample,) = make_preprocessor("thermal").feed(image(noise, "32FC1"))
    assert sample.quality == 0
    assert "noise" in sample.reason
    (uniform,) = make_preprocessor("thermal").feed(image(np.full((32, 32), 293, "<f4"), "32FC1"))
    assert uniform.quality == 0


def test_thermal_survives_dead_pixels_and_refuses_a_dead_camera():
    adaptor, raw = make_preprocessor("thermal"), Scene(5).sample("thermal").astype(np.float32)
    spotted = raw.copy()
    spotted[3, 4] = np.nan
    (sample,) = adaptor.feed(image(spotted.astype("<f4"), "32FC1"))
    assert np.isfinite(sample.data).all()
    assert 0.9 < sample.quality < 1
    (dead,) = adaptor.feed(image(np.full_like(raw, np.nan).astype("<f4"), "32FC1"))
    assert dead.quality == 0


def test_a_cloud_has_no_order_and_no_place():
    adaptor, raw = make_preprocessor("point_cloud"), Scene(8).sample("point_cloud")
    shuffled = np.random.default_rng(0).permutation(raw) * 3 + np.float32([1, -2, 0.5])
    (sample,) = adaptor.feed(cloud(shuffled))
    np.testing.assert_allclose(sample.data, adaptor.prepare(raw), atol=1e-3)


def test_points_that_are_not_finite_cost_quality():
    adaptor, raw = make_preprocessor("point_cloud"), Scene(8).sample("point_cloud")
    holed = np.repeat(raw, 2, axis=0)
    holed[::2] = np.nan
    (sample,) = adaptor.feed(cloud(holed))
    assert sample.quality == pytest.approx(0.5)
    np.testing.assert_allclose(sample.data, adaptor.prepare(raw), atol=1e-5)
    (nothing,) = adaptor.feed(cloud(np.full((20, 3), np.nan, np.float32)))
    assert nothing.quality == 0


def chunks(sound: np.ndarray, size: int = 400, rate: int = 8000) -> list[Any]:
    ends = range(size, len(sound) + 1, size)
    return [audio(sound[end - size : end], T0 + end * 10**9 // rate) for end in ends]


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
    adaptor = make_preprocessor("audio", rate=8000)
    said = spoken(label)
    samples = feed_all(adaptor, chunks(said.stream))
    assert len(samples) >= 4
    recorded = adaptor.prepare(said.word)
    for sample in samples:
        assert sample.quality > 0.3
        # The stream's faint noise lifts the darkest spots; a torn word would be off by far more.
        assert np.abs(sample.data - recorded).mean() < 0.12


def test_audio_stamps_say_when_the_window_ended():
    samples = feed_all(make_preprocessor("audio", rate=8000), chunks(spoken(3).stream))
    stamps = np.array([s.stamp for s in samples])
    assert (np.diff(stamps) >= 249 * MS).all()
    assert stamps[0] >= T0 + 1000 * MS


@pytest.mark.parametrize("size", [37, 160, 400, 1111])
def test_how_a_stream_is_chunked_does_not_matter_to_what_is_heard(size):
    samples = feed_all(make_preprocessor("audio", rate=8000), chunks(spoken(7).stream, size))
    recorded = make_preprocessor("audio").prepare(Scene(7).sample("audio"))
    assert len(samples) >= 3
    assert np.median([np.abs(s.data - recorded).mean() for s in samples]) < 0.12


def test_silence_is_nothing():
    samples = feed_all(make_preprocessor("audio", rate=8000), chunks(np.zeros(16000, np.float32)))
    assert samples
    assert {s.quality for s in samples} == {0.0}
    assert {s.reason for s in samples} == {"silence"}


def test_clipped_sound_costs_quality():
    adaptor = make_preprocessor("audio")
    verdict = adaptor.check(np.clip(Scene(3).sample("audio") * 40, -1, 1))
    assert 0 < verdict.quality < 1
    assert "clipped" in verdict.reason


def test_an_odd_byte_of_audio_is_refused_and_the_stream_goes_on():
    adaptor = make_preprocessor("audio", rate=8000)
    stream = chunks(spoken(2).stream)
    broken = SimpleNamespace(header=header(T0), audio=SimpleNamespace(data=b"\x01\x02\x03"))
    for message in stream[:20]:
        adaptor.feed(message)
    with pytest.raises(BadMessage, match="3 bytes"):
        adaptor.feed(broken)
    assert feed_all(adaptor, stream[20:])


def test_a_chunk_that_is_not_finite_is_refused_at_once_and_leaves_no_trace():
    stream = spoken(2).stream.astype("<f4")
    parts = [
        SimpleNamespace(header=header(T0 + i), audio=SimpleNamespace(data=stream[i : i + 400].tobytes()))
        for i in range(0, len(stream), 400)
    ]
    undisturbed = feed_all(make_preprocessor("audio", rate=8000, sample_format="F32LE"), parts)
    adaptor = make_preprocessor("audio", rate=8000, sample_format="F32LE")
    samples = feed_all(adaptor, parts[:25])
    with pytest.raises(BadMessage, match="not finite"):
        adaptor.feed(SimpleNamespace(audio=SimpleNamespace(data=np.full(9, np.nan, "<f4").tobytes())))
    samples += feed_all(adaptor, parts[25:])
    assert samples and [s.stamp for s in samples] == [s.stamp for s in undisturbed]
    for sample, expected in zip(samples, undisturbed, strict=True):
        np.testing.assert_array_equal(sample.data, expected.data)


def test_events_are_windowed_by_sensor_time():
    adaptor, raw = make_preprocessor("event"), Scene(4).sample("event")
    twice = Events.concatenate([raw, raw.shifted(320 * MS)])
    samples = feed_all(adaptor, packets(twice, T0))
    assert len(samples) >= 3
    assert all(s.quality > 0.5 for s in samples)
    stamps = np.array([s.stamp for s in samples])
    assert (np.diff(stamps) >= 90 * MS).all()
    end = int(samples[0].stamp - T0) + 1
    first = adaptor.prepare(twice.between(end - 300 * MS, end))
    assert np.abs(first - samples[0].data).mean() < 0.01


def test_a_movement_between_pauses_is_taken_whole():
    raws = [Scene(4, seed).sample("event") for seed in range(4)]
    rng = np.random.default_rng(0)
    parts = []
    for number, raw in enumerate(raws):
        begin = number * 450 * MS
        parts.append(raw.shifted(begin))
        stray = np.sort(rng.integers(begin + int(raw.t[-1]), begin + 450 * MS, 6))
        parts.append(
            Events(np.full(6, 3, np.uint16), np.full(6, 5, np.uint16), stray, np.ones(6, bool), 34, 34)
        )
    quiet = np.arange(1_800 * MS, 3_000 * MS, 20 * MS)
    ones = np.ones(len(quiet), np.uint16)
    parts.append(Events(ones, ones, quiet, ones > 0, 34, 34))
    adaptor = make_preprocessor("event")
    samples = feed_all(adaptor, packets(Events.concatenate(parts), T0))
    moved = [s for s in samples if s.quality > 0]
    whole = [adaptor.prepare(raw) for raw in raws]
    which = [int(np.argmin([np.abs(s.data - w).mean() for w in whole])) for s in moved]
    assert which == sorted(which)
    assert set(which) >= {1, 2, 3}  # the first may have begun before the camera was listened to
    for sample, number in zip(moved, which, strict=True):
        assert np.abs(sample.data - whole[number]).mean() < 0.05
    assert samples[-1].quality == 0


def test_packets_decoded_by_the_hop_make_the_samples_of_packets_decoded_one_by_one():
    raw = Scene(4).sample("event")
    stream = packets(Events.concatenate([raw, raw.shifted(320 * MS), raw.shifted(640 * MS)]), T0)
    by_the_hop = feed_all(make_preprocessor("event"), stream)
    for packet in stream:
        packet.header = header(0)  # without stamps nobody knows whether a packet can wait
    one_by_one = feed_all(make_preprocessor("event"), stream)
    assert len(by_the_hop) == len(one_by_one) >= 6
    for sample, expected in zip(by_the_hop, one_by_one, strict=True):
        assert abs(sample.stamp - by_the_hop[0].stamp - expected.stamp + one_by_one[0].stamp) <= 15 * MS
        assert sample.quality == expected.quality == 1.0
    same = [np.array_equal(a.data, b.data) for a, b in zip(by_the_hop, one_by_one, strict=True)]
    assert sum(same) >= len(same) / 2


def test_a_bad_packet_amid_a_hop_costs_only_itself():
    adaptor, raw = make_preprocessor("event"), Scene(4).sample("event")
    stream = packets(Events.concatenate([raw, raw.shifted(320 * MS)]), T0)
    undisturbed = feed_all(make_preprocessor("event"), stream)
    samples = feed_all(adaptor, stream[:15])
    with pytest.raises(BadMessage, match="cut in the middle of a word"):
        adaptor.feed(SimpleNamespace(**{**vars(stream[15]), "events": stream[15].events[:-1]}))
    samples += feed_all(adaptor, stream[16:])
    assert len(samples) == len(undisturbed)
    for sample, expected in zip(samples, undisturbed, strict=True):
        assert abs(sample.stamp - expected.stamp) <= 15 * MS
        assert np.count_nonzero(np.abs(sample.data - expected.data) > 1e-3) < 0.1 * sample.data.size


def test_a_looping_event_recording_starts_a_new_window():
    adaptor, raw = make_preprocessor("event"), Scene(4).sample("event")
    feed_all(adaptor, packets(raw, T0 + 10**12))
    assert feed_all(adaptor, packets(raw, T0)[:20]) == []


def test_a_still_event_camera_is_nothing():
    adaptor = make_preprocessor("event")
    rng = np.random.default_rng(0)
    t = np.sort(rng.integers(0, 900 * MS, 60))
    noise = Events(
        rng.integers(0, 34, 60).astype(np.uint16),
        rng.integers(0, 34, 60).astype(np.uint16),
        t,
        rng.random(60) < 0.5,
        34,
        34,
    )
    samples = feed_all(adaptor, packets(noise, T0))
    assert samples
    assert {s.quality for s in samples} == {0.0}


def strokes(raw: np.ndarray, times: int = 2, rest: int = 96) -> list[Any]:
    frames = np.concatenate([np.concatenate([np.zeros((rest, 16, 16), np.float32), raw])] * times)
    frames = np.concatenate([frames, np.zeros((rest, 16, 16), np.float32)])
    return [
        image((frame * 255).astype(np.uint8), "mono8", T0 + i * 10**9 // 120)
        for i, frame in enumerate(frames)
    ]


@pytest.mark.parametrize("label", [0, 1, 4, 8])
def test_whole_strokes_are_cut_out_of_a_stream_of_frames(label):
    adaptor, raw = make_preprocessor("touch"), Scene(label).sample("touch")
    samples = feed_all(adaptor, strokes(raw))
    assert len(samples) >= 2
    recorded = adaptor.prepare(raw)
    for sample in samples:
        assert np.abs(sample.data - recorded).max() < 1e-5


def test_a_bad_frame_amid_a_hop_is_refused_at_once_and_leaves_no_trace():
    stream = strokes(Scene(4).sample("touch"))
    undisturbed = feed_all(make_preprocessor("touch"), stream)
    adaptor = make_preprocessor("touch")
    samples = feed_all(adaptor, stream[:200])
    with pytest.raises(BadMessage, match="not finite"):
        adaptor.feed(image(np.full((16, 16), np.nan, "<f4"), "32FC1"))
    with pytest.raises(BadMessage, match="cut"):
        adaptor.feed(SimpleNamespace(**{**vars(stream[200]), "data": stream[200].data[:-1]}))
    samples += feed_all(adaptor, stream[200:])
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


def test_text_is_lower_cased_and_needs_words():
    adaptor = make_preprocessor("text")
    (a,), (b,) = adaptor.feed(SimpleNamespace(data="Three!")), adaptor.feed(SimpleNamespace(data=" three "))
    np.testing.assert_array_equal(a.data, b.data)
    (nothing,) = adaptor.feed(SimpleNamespace(data="?!"))
    assert nothing.quality == 0
    with pytest.raises(BadMessage):
        adaptor.feed(SimpleNamespace(data=7))


def test_a_mistyped_modality_constant_or_option_names_the_nearest():
    with pytest.raises(ConfigError, match="'thermal'"):
        make_preprocessor("termal")
    with pytest.raises(ConfigError, match="'size'"):
        make_preprocessor("image", {"sise": 3})
    with pytest.raises(ConfigError, match="'channels'"):
        make_preprocessor("audio", chanels=2)


def test_a_modality_of_ones_own_names_its_adaptor():
    assert make_preprocessor("night_camera", {"adaptor": "thermal", "size": 24}).input_shape == (1, 1, 24, 24)
