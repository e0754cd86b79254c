"""CLIP (arXiv 2103.00020), SigLIP (arXiv 2303.15343) and their like, as `transformers` saves them.

A folder holds config.json, the weights, the tokenizer's files and preprocessor_config.json. Pictures are
resized and normalised here by the constants of the last; `transformers` itself would need torchvision.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from omnibind_ros.errors import ConfigError
from omnibind_ros.host.models.teachers.teacher import Picture, Vectors

_BATCH = 32
_CLIP_MEAN, _CLIP_STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)


class TwoTowerTeacher:
    """Text and image towers of one model.

    Args:
        name: a local folder, or the id of a model on the Hugging Face hub.

    Raises:
        ConfigError: `transformers` is not installed, or there is no such model, or it has not both towers.
    """

    def __init__(self, name: str) -> None:
        try:
            from transformers import AutoModel, AutoTokenizer
        except ImportError as error:
            raise ConfigError(f"teacher {name!r} needs transformers; pip install transformers") from error
        try:
            self._model = AutoModel.from_pretrained(name).eval()
            self._tokenizer = AutoTokenizer.from_pretrained(name)
            self._pictures = _preprocessor(name)
        except (OSError, ValueError, KeyError) as error:
            reason = str(error).strip().partition("\n")[0]
            raise ConfigError(f"teacher {name!r} is neither a model's folder nor known: {reason}") from error
        if not (hasattr(self._model, "get_text_features") and hasattr(self._model, "get_image_features")):
            raise ConfigError(f"teacher {name!r} is a {self._model.config.model_type}, without two towers")
        # SigLIP was trained on texts of full length and pays heed to the padding.
        self._padding = "max_length" if "siglip" in self._model.config.model_type else True
        self._longest = int(self._model.config.text_config.max_position_embeddings)
        self.id = f"{self._model.config.model_type}:{_fingerprint(self._model)}"

    @torch.no_grad()
    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        """Unit-norm float32 [len(texts), D]."""
        tokens = self._tokenizer(
            list(texts),
            padding=self._padding,
            truncation=True,
            max_length=self._longest,
            return_tensors="pt",
        )
        wanted = {key: tokens[key] for key in ("input_ids", "attention_mask") if key in tokens}
        return _unit(self._model.get_text_features(**wanted))

    @torch.no_grad()
    def encode_images(self, images: Sequence[Picture]) -> Vectors:
        """Unit-norm float32 [n, D]."""
        found = []
        for start in range(0, len(images), _BATCH):
            pixels = np.stack([_prepare(image, self._pictures) for image in images[start : start + _BATCH]])
            found.append(_unit(self._model.get_image_features(pixel_values=torch.from_numpy(pixels))))
        return np.concatenate(found) if found else self.encode_texts([""])[:0]


def _preprocessor(name: str) -> Mapping[str, Any]:
    file = Path(name) / "preprocessor_config.json"
    if not Path(name).is_dir():
        from huggingface_hub import hf_hub_download

        file = Path(hf_hub_download(name, "preprocessor_config.json"))
    constants: Mapping[str, Any] = json.loads(file.read_text())
    return constants


def _prepare(image: Picture, constants: Mapping[str, Any]) -> NDArray[np.float32]:
    """uint8 [H,W,3] -> float32 [3,h,w] as the model was trained on: resized, centre-cropped, normalised."""
    height, width = _size(constants.get("crop_size") or constants["size"])
    resized = _resize(image, constants["size"])
    if constants.get("do_center_crop"):
        top, left = (resized.shape[0] - height) // 2, (resized.shape[1] - width) // 2
        resized = resized[max(0, top) :, max(0, left) :][:height, :width]
    if resized.shape[:2] != (height, width):
        resized = np.asarray(cv2.resize(resized, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)
    scaled = resized.astype(np.float32) * np.float32(constants.get("rescale_factor", 1 / 255))
    mean = np.asarray(constants.get("image_mean", _CLIP_MEAN), np.float32)
    std = np.asarray(constants.get("image_std", _CLIP_STD), np.float32)
    return np.ascontiguousarray(((scaled - mean) / std).transpose(2, 0, 1))


def _resize(image: Picture, size: Any) -> Picture:
    if isinstance(size, Mapping) and "height" in size:
        height, width = _size(size)
    else:
        shortest = size["shortest_edge"] if isinstance(size, Mapping) else size
        scale = shortest / min(image.shape[:2])
        height, width = (max(shortest, round(side * scale)) for side in image.shape[:2])
    shrinking = height < image.shape[0]
    how = cv2.INTER_AREA if shrinking else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(image, (width, height), interpolation=how), np.uint8)


def _size(size: Any) -> tuple[int, int]:
    if isinstance(size, Mapping):
        edge = size.get("shortest_edge", 0)
        return int(size.get("height", edge)), int(size.get("width", edge))
    return int(size), int(size)


def _unit(features: Any) -> Vectors:
    # Newer versions of transformers answer with an object that holds the pooled features.
    vectors = features if isinstance(features, torch.Tensor) else features.pooler_output
    return np.asarray(torch.nn.functional.normalize(vectors.float(), dim=1).numpy(), np.float32)


def _fingerprint(model: torch.nn.Module) -> str:
    digest = hashlib.sha256()
    for name, value in model.state_dict().items():
        digest.update(f"{name}{tuple(value.shape)}{value.double().sum().item():.17g}".encode())
    return digest.hexdigest()[:16]
