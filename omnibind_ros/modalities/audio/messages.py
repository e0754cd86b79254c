"""What a microphone publishes: `audio_common_msgs/msg/AudioDataStamped` in chunks of 50 ms at 16 kHz.

An utterance is followed by a pause of faint room noise.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from omnibind_ros.messages.cdr import message_class
from omnibind_ros.messages.stamps import make_header
from omnibind_ros.modalities.audio.pcm import Resampler
from omnibind_ros.modalities.frames import Frame, stamped_at_end

RECORDED_RATE = 8000
"""Samples a second of the raw samples that are played."""

DEVICE_RATE = 16000
"""Samples a second of the messages: what an encoder expects by default."""

_CHUNK_S = 0.05
_PAUSE_S = 0.6
_ROOM_NOISE = 10 ** (-70 / 20)  # of full scale: a quiet room; a microphone never delivers digital zero


def audio_message(sound: NDArray[np.float32], stamp: int, frame_id: str = "") -> Any:
    """`audio_common_msgs/msg/AudioDataStamped` (S16LE) of float32 [n] mono in [-1, 1]; `stamp` in ns."""
    pcm = np.rint(np.clip(sound, -1.0, 1.0) * 32767.0).astype("<i2")
    audio = message_class("audio_common_msgs/msg/AudioData")(data=pcm.view(np.uint8))
    stamped = message_class("audio_common_msgs/msg/AudioDataStamped")
    return stamped(header=make_header(stamp, frame_id), audio=audio)


def frames(samples: Iterable[NDArray[np.float32]], rng: np.random.Generator) -> Iterator[Frame]:
    resample, chunk = Resampler(RECORDED_RATE, DEVICE_RATE), round(_CHUNK_S * DEVICE_RATE)
    pause = np.zeros(round(_PAUSE_S * RECORDED_RATE), np.float32)
    waiting = resample(pause)
    for sample in samples:
        waiting = np.concatenate([waiting, resample(sample), resample(pause)])
        whole = len(waiting) // chunk * chunk
        for sound in waiting[:whole].reshape(-1, chunk):
            noisy = sound + rng.normal(0, _ROOM_NOISE, chunk).astype(np.float32)
            yield Frame(_CHUNK_S, stamped_at_end(audio_message, noisy))
        waiting = waiting[whole:]
