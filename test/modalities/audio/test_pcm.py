"""PCM formats; the resampler: the same however the stream is cut, flat in its pass band, nothing aliased."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omnibind_ros.errors import BadMessage
from omnibind_ros.modalities.audio.pcm import Resampler, decode_pcm, resample


def tone(frequency, rate, seconds=1.0):
    return np.sin(2 * np.pi * frequency * np.arange(round(rate * seconds)) / rate).astype(np.float32)


@pytest.mark.parametrize(
    ("sample_format", "dtype", "full"),
    [("S16LE", "<i2", 2**15), ("S32LE", "<i4", 2**31), ("F32LE", "<f4", 1)],
)
def test_formats(sample_format, dtype, full):
    signal = np.array([0.0, 0.5, -1.0, 0.25])
    data = (signal * full).astype(dtype).tobytes()
    decoded = decode_pcm(data, sample_format, 1)
    assert decoded.dtype == np.float32
    np.testing.assert_array_equal(decoded, signal)


@pytest.mark.parametrize(("sample_format", "dtype"), [("S16LE", "<i2"), ("S32LE", "<i4")])
def test_the_mean_of_interleaved_channels_does_not_overflow(sample_format, dtype):
    top = np.iinfo(dtype).max
    frames = np.array([[top, top, top], [top, -top, 0]], dtype)
    np.testing.assert_allclose(decode_pcm(frames.tobytes(), sample_format, 3), [1.0, 0.0], atol=1e-4)


def test_mono_floats_are_a_view():
    samples = np.array([0.1, -0.2], np.float32)
    assert np.shares_memory(decode_pcm(samples, "F32LE", 1), samples)


def test_an_empty_chunk_is_no_error():
    assert decode_pcm(b"", "S16LE", 2).shape == (0,)


@pytest.mark.parametrize(
    ("data", "sample_format", "channels", "error"),
    [
        (b"\0" * 5, "S16LE", 1, "5 bytes is cut .* 1 channels of S16LE are 2 bytes"),
        (b"\0" * 6, "S16LE", 2, "cut .* are 4 bytes"),
        (b"", "S16BE", 1, "unknown sample format 'S16BE'; did you mean 'S16LE'"),
        (b"", None, 1, "unknown sample format None"),
        (b"", "S16LE", 0, "0 channels"),
        (b"", "S16LE", "two", "'two' channels"),
        (b"", "S16LE", 10**30, "channels"),
    ],
)
def test_bad_audio(data, sample_format, channels, error):
    with pytest.raises(BadMessage, match=error):
        decode_pcm(data, sample_format, channels)


@given(st.binary(max_size=200), st.sampled_from(["S16LE", "S32LE", "F32LE", "U8", ""]), st.integers(-1, 9))
def test_random_bytes_decode_or_are_bad_messages(data, sample_format, channels):
    try:
        decoded = decode_pcm(data, sample_format, channels)
    except BadMessage:
        return
    assert decoded.dtype == np.float32 and decoded.ndim == 1


RATES = [
    (44100, 8000),
    (48000, 8000),
    (16000, 8000),
    (11025, 8000),
    (8000, 16000),
    (8000, 44100),
    (7919, 8000),
]


@pytest.mark.parametrize(("source", "target"), RATES)
def test_a_tone_in_the_pass_band_arrives_as_it_was(source, target):
    frequency = 0.35 * min(source, target)
    resampled = resample(tone(frequency, source), source, target)
    assert len(resampled) == target
    edge = target // 20
    error = (resampled - tone(frequency, target))[edge:-edge]
    assert np.abs(error).max() < 1e-3


@pytest.mark.parametrize(("source", "target"), [(44100, 8000), (48000, 8000), (16000, 8000)])
def test_what_the_target_rate_cannot_hold_is_gone_and_not_aliased(source, target):
    for frequency in (0.58 * target, 0.75 * target, 0.95 * target):
        resampled = resample(tone(frequency, source), source, target)
        edge = target // 20
        assert np.abs(resampled[edge:-edge]).max() < 1e-3  # -60 dB; without a filter it would be 1


@given(st.sampled_from(RATES), st.lists(st.integers(0, 900), max_size=8), st.integers(0, 2**32 - 1))
@settings(max_examples=40)
def test_chunks_give_what_one_shot_gives(rates, sizes, seed):
    source, target = rates
    signal = np.random.default_rng(seed).standard_normal(sum(sizes)).astype(np.float32)
    resampler = Resampler(source, target)
    chunks = np.split(signal, np.cumsum(sizes)[:-1]) if sizes else []
    streamed = np.concatenate([*(resampler(chunk) for chunk in chunks), resampler.flush()])
    whole = resample(signal, source, target)
    assert len(whole) == -(-len(signal) * target // source)
    np.testing.assert_allclose(streamed, whole, atol=1e-6)


def test_a_long_stream_keeps_pace_and_keeps_little():
    resampler = Resampler(44100, 8000)
    chunk = np.zeros(441, np.float32)
    delivered = sum(len(resampler(chunk)) for _ in range(1000))
    assert 0 <= 80_000 - delivered <= resampler.latency * 8000 / 44100 + 1


def test_equal_rates_pass_the_samples_through():
    samples = tone(440, 8000)
    assert Resampler(8000, 8000)(samples) is samples
    assert resample(samples, 8000, 8000) is samples


def test_flush_and_reset_start_a_new_stream():
    resampler = Resampler(16000, 8000)
    signal = np.random.default_rng(0).standard_normal(500).astype(np.float32)
    first = np.concatenate([resampler(signal), resampler.flush()])
    resampler(signal)
    resampler.reset()
    np.testing.assert_array_equal(np.concatenate([resampler(signal), resampler.flush()]), first)


@pytest.mark.parametrize("rate", [0, -8000, 8000.5, None, 10**9])
def test_bad_rates(rate):
    with pytest.raises(BadMessage, match="resampled"):
        Resampler(rate, 8000)
