"""Models with a text and an image tower: CLIP (arXiv 2103.00020), SigLIP (arXiv 2303.15343) and others.

A folder or hub id has config.json, the weights, the tokenizer and preprocessor_config.json, as `transformers`
saves them. Images are prepared by the model's own image processor, in Pillow: the same resampling, crop, mean
and standard deviation as in its training.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from omnibind_ros.errors import ConfigError
from omnibind_ros.host.models.teachers.teacher import Vectors
from omnibind_ros.modalities.definition import Picture

_BATCH = 32


class TwoTowerTeacher:
    """The text and image towers of one model.

    Args:
        name: a local folder, or the id of a model on the Hugging Face hub.

    Raises:
        ConfigError: a Python module is missing, there is no such model, or it lacks one of the towers.
    """

    def __init__(self, name: str) -> None:
        try:
            from transformers import AutoImageProcessor, AutoModel, AutoTokenizer

            self._model = AutoModel.from_pretrained(name).eval()
            self._tokenizer = AutoTokenizer.from_pretrained(name)
            # Always Pillow: torchvision, where it is installed, resamples slightly differently.
            load: Any = AutoImageProcessor.from_pretrained
            self._processor = load(name, backend="pil")
        except ImportError as error:
            reason = str(error).strip().partition("\n")[0]
            raise ConfigError(
                f"teacher {name!r} needs transformers and Pillow ({reason}): pip install transformers pillow"
            ) from error
        except (OSError, ValueError, KeyError) as error:
            reason = str(error).strip().partition("\n")[0]
            raise ConfigError(
                f"teacher {name!r} is neither a folder with a model nor a model on the hub: {reason}"
            ) from error
        if not (hasattr(self._model, "get_text_features") and hasattr(self._model, "get_image_features")):
            raise ConfigError(
                f"teacher {name!r} is a {self._model.config.model_type}, which has no text and image tower"
            )
        # SigLIP was trained on padded texts and does not mask the padding.
        self._padding = "max_length" if "siglip" in self._model.config.model_type else True
        self._max_tokens = int(self._model.config.text_config.max_position_embeddings)
        self.id = f"{self._model.config.model_type}:{self._fingerprint()}"

    @torch.no_grad()
    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        """Embeddings of texts, float32 [len(texts), D] of unit norm."""
        tokens = self._tokenizer(
            list(texts),
            padding=self._padding,
            truncation=True,
            max_length=self._max_tokens,
            return_tensors="pt",
        )
        inputs = {key: tokens[key] for key in ("input_ids", "attention_mask") if key in tokens}
        return _unit(self._model.get_text_features(**inputs))

    @torch.no_grad()
    def encode_images(self, images: Sequence[Picture]) -> Vectors:
        """Embeddings of pictures, float32 [len(images), D] of unit norm."""
        batches = [images[start : start + _BATCH] for start in range(0, len(images), _BATCH)]
        found = [_unit(self._model.get_image_features(pixel_values=self.pixels(batch))) for batch in batches]
        return np.concatenate(found) if found else self.encode_texts([""])[:0]

    def pixels(self, images: Sequence[Picture]) -> torch.Tensor:
        """Inputs of the image tower, float32 [len(images), 3, height, width]."""
        prepared = self._processor(
            images=list(images), input_data_format="channels_last", return_tensors="pt"
        )
        pixels: torch.Tensor = prepared["pixel_values"]
        return pixels

    def _fingerprint(self) -> str:
        """Changes with the weights and with the preparation of images."""
        digest = hashlib.sha256(self._processor.to_json_string().encode())
        for name, value in self._model.state_dict().items():
            digest.update(f"{name}{tuple(value.shape)}{value.double().sum().item():.17g}".encode())
        return digest.hexdigest()[:16]


def _unit(features: Any) -> Vectors:
    # Since transformers 5, the features are a field of the result.
    vectors = features if isinstance(features, torch.Tensor) else features.pooler_output
    return np.asarray(torch.nn.functional.normalize(vectors.float(), dim=1).numpy(), np.float32)
