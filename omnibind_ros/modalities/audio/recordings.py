"""Recordings of microphones: WAV files and arrays of samples."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np

from omnibind_ros.errors import BadRecording
from omnibind_ros.modalities.audio.pcm import resample
from omnibind_ros.modalities.audio.preprocessing import AudioFormat
from omnibind_ros.modalities.files import FileFormats, RecordedArray
from omnibind_ros.types import Floats


def read_wav(file: Path, format: AudioFormat) -> Floats:
    """16-bit PCM WAV -> float32 [n] mono at the format's rate."""
    with wave.open(str(file)) as f:
        if f.getsampwidth() != 2:
            raise BadRecording(f"{8 * f.getsampwidth()}-bit samples; 16-bit PCM is expected")
        sound = np.frombuffer(f.readframes(f.getnframes()), "<i2").reshape(-1, f.getnchannels())
        recorded_rate = f.getframerate()
    mono: Floats = np.asarray(sound.mean(axis=1, dtype=np.float32) / 32768, np.float32)
    return resample(mono, recorded_rate, format.rate)


def sound_from_array(array: RecordedArray, format: AudioFormat) -> Floats:
    """float32 [n] mono at the format's rate; signed integers are scaled by their range."""
    array.expect(array.values.ndim in (1, 2), "sound [n] or [n, channels]")
    sound = array.scaled
    if np.issubdtype(array.values.dtype, np.signedinteger):
        sound /= np.float32(-float(np.iinfo(array.values.dtype).min))
    mono = sound if sound.ndim == 1 else sound.mean(axis=1, dtype=np.float32)
    if array.rate is None:
        raise BadRecording("has no sampling rate; give it in the source: sample: {rate: 16000}")
    return resample(mono, round(array.rate), format.rate)


FILES = FileFormats(readers={".wav": read_wav}, arrays=(".npy",), from_array=sound_from_array)
