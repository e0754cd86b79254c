"""Targets of samples: their own picture, one of their class, or none."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from omnibind_ros.host.data.recording import Recording  # noqa: E402
from omnibind_ros.host.data.to_pictures import Looks  # noqa: E402
from omnibind_ros.host.training.cad import CadConfig  # noqa: E402
from omnibind_ros.host.training.samples import NEGATIVE, UNLABELLED  # noqa: E402
from omnibind_ros.host.training.targets import Targets, embed_pictures, make_targets  # noqa: E402

K, D = 3, 8
LABELS = ("a", "b", "c")
CENTRES = np.eye(K, D, dtype=np.float32)


class ByBrightness:
    """Sees class n in a picture of brightness 10 n, half of two classes between."""

    id = "by brightness"

    def encode_texts(self, texts: Sequence[str]) -> np.ndarray:
        raise AssertionError

    def encode_images(self, images: Sequence[np.ndarray]) -> np.ndarray:
        levels = np.array([image.mean() / 10 for image in images])
        near = np.maximum(0, 1 - np.abs(levels[:, None] - np.arange(K)))
        vectors = np.pad(near, ((0, 0), (0, D - K))).astype(np.float32)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def picture(name: str, level: int, label: str | None, modality: str = "image", pair: str = "") -> Recording:
    pixels = np.full((4, 4, 3), level, np.uint8)
    return Recording(modality, "s", name, label, "", lambda: pixels, pair=pair)


BANK = [
    picture(f"{label}{n}", 10 * k, label, pair=f"{label}{n}")
    for k, label in enumerate(LABELS)
    for n in (0, 1)
]
SEEN = embed_pictures(ByBrightness(), BANK, LABELS)


def targets(*recordings: Recording, sure: float = 0.9) -> Targets:
    cad = CadConfig(sure=sure)
    return make_targets(ByBrightness(), CENTRES, recordings, Looks(BANK), SEEN, cad)


def sound(name: str, label: str | None, pair: str = "") -> Recording:
    return Recording("audio", "heard", name, label, "", lambda: np.zeros(4, np.float32), pair=pair)


def test_embeddings_of_pictures_are_centred_on_their_classes():
    np.testing.assert_array_equal(SEEN.labels, [0, 0, 1, 1, 2, 2])
    np.testing.assert_allclose(np.linalg.norm(SEEN.vectors, axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(SEEN.origin[:K], 1 / K, rtol=1e-5)
    assert (SEEN.vectors @ CENTRES.T).argmax(axis=1).tolist() == SEEN.labels.tolist()


def test_a_sample_has_its_own_picture_or_one_of_its_class_or_none():
    found = targets(sound("paired", "b", pair="b0"), sound("alone", "c"), sound("unknown", None))
    assert found.has_own.tolist() == [True, False, False]
    labels = torch.tensor([1, 2, UNLABELLED])
    taught, own = found.of(torch.arange(3), labels)
    assert own.tolist() == [True, False, False]
    read = (taught @ found.centres.T).argmax(dim=1)
    assert read[:2].tolist() == [1, 2]
    assert not taught[2].any()
    assert not found.of(torch.tensor([2]), torch.tensor([NEGATIVE]))[0].any()


def test_a_picture_without_a_confident_class_is_not_a_target():
    between = picture("between", 5, None)
    assert targets(between).has_own.tolist() == [False]
    assert targets(between, sure=0.3).has_own.tolist() == [True]


def test_a_misread_picture_of_a_known_class_is_replaced_by_one_of_that_class():
    found = targets(sound("misread", "c", pair="a0"))
    taught, own = found.of(torch.tensor([0]), torch.tensor([2]))
    assert not own[0]
    assert int((taught @ found.centres.T).argmax()) == 2
    # Whose class nobody knows is believed to be what the teacher reads.
    taught, own = found.of(torch.tensor([0]), torch.tensor([UNLABELLED]))
    assert own[0]
    assert int((taught @ found.centres.T).argmax()) == 0


def test_a_class_without_pictures_gets_no_target_of_another_class():
    few = embed_pictures(ByBrightness(), BANK[:4], LABELS)
    found = make_targets(ByBrightness(), CENTRES, [sound("alone", "c")], Looks([]), few, CadConfig())
    assert not found.of(torch.tensor([0]), torch.tensor([2]))[0].any()
