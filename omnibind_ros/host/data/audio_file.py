"""Audio files: WAV (any PCM or float format), FLAC, OGG and what else libsndfile reads."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from omnibind_ros.errors import ConfigError
from omnibind_ros.modalities.audio.pcm import resample

AUDIO_SUFFIXES = (".wav", ".flac", ".ogg")


def read_audio(file: Path, rate: int) -> NDArray[np.float32]:
    """The sound of a file as float32 [n] mono at `rate` Hz, full scale 1.

    Raises:
        ConfigError: the module that reads it is not installed.
        soundfile.LibsndfileError: the file is not readable.
    """
    try:
        import soundfile
    except ModuleNotFoundError as error:
        raise ConfigError("audio files need the Python module soundfile: pip install soundfile") from error
    channels, recorded_rate = soundfile.read(file, dtype="float32", always_2d=True)
    mono = np.asarray(channels.mean(axis=1, dtype=np.float32), np.float32)
    return resample(mono, recorded_rate, rate)
