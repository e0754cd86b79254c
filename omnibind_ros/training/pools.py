"""Recordings -> embeddings to draw fusion episodes from: each as it is, and corrupted on the raw level."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from rich.progress import track

from omnibind_ros.data.corrupt import CORRUPTIONS
from omnibind_ros.data.recording import Recording
from omnibind_ros.models.student import Student
from omnibind_ros.sensors.adaptor import SensorAdaptor
from omnibind_ros.training.episodes import Pool
from omnibind_ros.training.samples import NEGATIVE
from omnibind_ros.training.stage1 import embed


def make_pool(
    student: Student,
    adaptor: SensorAdaptor,
    recordings: Sequence[Recording],
    labels: Sequence[str],
    *,
    versions: int = 4,
    seed: int = 0,
) -> Pool:
    """Embed recordings and `versions` corrupted versions of each, kind and strength drawn at random."""
    corruptions = CORRUPTIONS.get(adaptor.modality, ())
    rng = np.random.default_rng(seed)
    inputs, qualities, classes = [], [], []
    for recording in track(recordings, f"corrupting {adaptor.modality}", transient=True):
        raw = recording.load()
        if adaptor.check(raw).quality == 0:
            continue
        inputs.append(adaptor.prepare(raw)[0])
        for _ in range(versions):
            bad = raw
            if corruptions:
                bad = corruptions[rng.integers(len(corruptions))](raw, rng.uniform(0.1, 1.0), rng)
            quality = adaptor.check(bad).quality
            inputs.append(adaptor.prepare(bad)[0] if quality > 0 else np.zeros_like(inputs[-1]))
            qualities.append(quality)
        classes.append(NEGATIVE if recording.label is None else list(labels).index(recording.label))
    vectors, evidence = embed(student, torch.from_numpy(np.stack(inputs)))
    count = len(classes)
    by_recording = vectors.reshape(count, versions + 1, -1)
    evidence = evidence.reshape(count, versions + 1)
    return Pool(
        by_recording[:, 0],
        evidence[:, 0],
        by_recording[:, 1:],
        evidence[:, 1:],
        np.array(qualities, np.float32).reshape(count, versions),
        np.array(classes, np.int64),
    )
