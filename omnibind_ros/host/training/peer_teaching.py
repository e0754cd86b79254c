"""One student teaches another: its embedding of a moment that both sensors recorded is the other's target.

A recipe without pictures has no image teacher. A trained student of another modality can replace it: its
embedding is the t_i of CAD (see `cad.py`) and needs no label. This is cross-modal distillation (Gupta,
Hoffman, Malik, arXiv 1507.00448) between students of one space.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from omnibind_ros.errors import ConfigError
from omnibind_ros.host.data.recording import Recording
from omnibind_ros.host.models.student import Student, embed
from omnibind_ros.host.models.teachers.teacher import Vectors
from omnibind_ros.host.training.samples import Samples


def of_same_moments(peer: Sequence[Recording], recordings: Sequence[Recording]) -> list[Recording]:
    """The peer's recordings of the moments of `recordings`.

    Raises:
        ConfigError: there is none.
    """
    moments = {r.pair for r in recordings if r.pair}
    shared = [r for r in peer if r.pair in moments]
    if not shared and peer and recordings:
        taught, by = recordings[0].modality, peer[0].modality
        raise ConfigError(
            f"taught_by.{taught}: no recording of {taught!r} has the same pair as one of {by!r}, "
            f"e.g. {recordings[0].pair!r} and {peer[0].pair!r}; let their sources give equal pairs"
        )
    return shared


def peer_embeddings(peer: Student, samples: Samples, recordings: Sequence[Recording]) -> Vectors:
    """The peer's embedding of each recording's moment, float32 [N, D]; zero where it has no recording.

    Args:
        samples: the peer's, of those moments.
    """
    dim = peer.head.out_features
    vectors = embed(peer, samples.clean)[0].numpy() if len(samples) else np.zeros((0, dim), np.float32)
    of_moment = {r.pair: vector for r, vector in zip(samples.recordings, vectors, strict=True)}
    none = np.zeros(dim, np.float32)
    return np.stack([of_moment.get(r.pair, none) if r.pair else none for r in recordings])
