"""Audio files of every format give the sound that was written."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from omnibind_ros.errors import BadRecording, ConfigError
from omnibind_ros.host.data.decode import Decoder, SampleRules
from omnibind_ros.modalities.audio.pcm import resample
from omnibind_ros.modalities.audio.preprocessing import AudioFormat
from omnibind_ros.modalities.audio.recordings import read_sound
from omnibind_ros.modalities.registry import make_preprocessor

soundfile = pytest.importorskip("soundfile")

RATE = 8000
FORMAT = AudioFormat(rate=RATE)


def tone(channels: int = 1, rate: int = RATE) -> np.ndarray:
    """Half a second, float64 [n, channels]; the second channel is quieter."""
    seconds = np.arange(rate // 2) / rate
    return np.stack([0.5 / (c + 1) * np.sin(2 * np.pi * 330 * seconds) for c in range(channels)], axis=1)


@pytest.mark.parametrize("channels", [1, 2, 3])
@pytest.mark.parametrize("rate", [RATE, 44_100])
def test_16_bit_wav_is_the_mean_of_its_samples_over_32768_to_the_bit(channels, rate, tmp_path):
    samples = np.random.default_rng(channels).integers(-32768, 32768, (rate // 2, channels), np.int16)
    soundfile.write(tmp_path / "a.wav", samples, rate, subtype="PCM_16")
    mono = np.asarray(samples.mean(axis=1, dtype=np.float32) / 32768, np.float32)
    np.testing.assert_array_equal(read_sound(tmp_path / "a.wav", FORMAT), resample(mono, rate, RATE))


@pytest.mark.parametrize(
    "name, subtype, tolerance",
    [
        ("pcm24.wav", "PCM_24", 2e-7),
        ("pcm32.wav", "PCM_32", 1e-7),
        ("float.wav", "FLOAT", 1e-7),
        ("double.wav", "DOUBLE", 1e-7),
        ("flac16.flac", "PCM_16", 2e-5),
        ("flac24.flac", "PCM_24", 2e-7),
        ("vorbis.ogg", "VORBIS", 0.05),
    ],
)
def test_every_format_is_read_at_full_scale(name, subtype, tolerance, tmp_path):
    soundfile.write(tmp_path / name, tone(2), RATE, subtype=subtype)
    sound = read_sound(tmp_path / name, FORMAT)
    assert sound.dtype == np.float32 and sound.ndim == 1
    np.testing.assert_allclose(sound, tone(2).mean(axis=1), atol=tolerance)


def test_sound_comes_at_the_wanted_rate(tmp_path):
    soundfile.write(tmp_path / "a.flac", tone(1, 48_000), 48_000)
    sound = read_sound(tmp_path / "a.flac", FORMAT)
    assert len(sound) == RATE // 2
    np.testing.assert_allclose(sound[200:-200], tone()[200:-200, 0], atol=0.01)


def test_a_damaged_file_is_one_line_that_names_it(tmp_path):
    decoder = Decoder(make_preprocessor("audio"), SampleRules())
    (tmp_path / "a.flac").write_bytes(b"fLaC" + bytes(40))
    with pytest.raises(BadRecording, match=r"cannot read .*a\.flac: ") as refused:
        decoder.read(tmp_path / "a.flac")
    assert "\n" not in str(refused.value)


def test_without_the_module_the_error_tells_what_to_install(tmp_path: Path, monkeypatch):
    monkeypatch.setitem(sys.modules, "soundfile", None)
    with pytest.raises(ConfigError, match="pip install soundfile"):
        read_sound(tmp_path / "a.wav", FORMAT)
