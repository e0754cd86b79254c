"""Recordings of microphones: WAV (any PCM or float format), FLAC and OGG files, and arrays of samples."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from omnibind_ros.errors import BadRecording, ConfigError
from omnibind_ros.modalities.audio.pcm import resample
from omnibind_ros.modalities.audio.preprocessing import AudioFormat
from omnibind_ros.modalities.files import FileFormats, RecordedArray
from omnibind_ros.types import Floats


def read_sound(file: Path, format: AudioFormat) -> Floats:
    """The sound of a file as float32 [n] mono at the format's rate, full scale 1.

    Raises:
        ConfigError: the module that reads it is not installed.
        soundfile.LibsndfileError: the file is not readable.
    """
    try:
        import soundfile
    except ModuleNotFoundError as error:
        raise ConfigError("audio files need the Python module soundfile: pip install soundfile") from error
    channels, recorded_rate = soundfile.read(file, dtype="float32", always_2d=True)
    mono: Floats = np.asarray(channels.mean(axis=1, dtype=np.float32), np.float32)
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


FILES = FileFormats(
    readers=dict.fromkeys((".wav", ".flac", ".ogg"), read_sound),
    arrays=(".npy",),
    from_array=sound_from_array,
)
