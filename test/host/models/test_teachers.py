"""Teachers: one interface, unit vectors, a cache of embeddings."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from omnibind_ros.errors import ConfigError  # noqa: E402
from omnibind_ros.host.models.student import Student, StudentConfig  # noqa: E402
from omnibind_ros.host.models.teachers import (  # noqa: E402
    CachedTeacher,
    TowerTeacher,
    TwoTowerTeacher,
    centred,
    make_class_centres,
)
from omnibind_ros.modalities.registry import make_preprocessor  # noqa: E402

D = 16
RNG = np.random.default_rng(0)
PICTURES = [RNG.integers(0, 255, (side, 40, 3), np.uint8) for side in (30, 40, 56)]
TEXTS = ["a one", "the number two", "three"]


class Spy:
    """Answers by hash, and remembers what it was asked."""

    id = "spy"

    def __init__(self) -> None:
        self.asked: list[int] = []

    def encode_texts(self, texts: Sequence[str]) -> np.ndarray:
        self.asked.append(len(texts))
        return np.stack([self._vector(text.encode()) for text in texts])

    def encode_images(self, images: Sequence[np.ndarray]) -> np.ndarray:
        self.asked.append(len(images))
        return np.stack([self._vector(image.tobytes()) for image in images])

    @staticmethod
    def _vector(content: bytes) -> np.ndarray:
        vector = np.random.default_rng(list(content[:32])).standard_normal(D)
        return (vector / np.linalg.norm(vector)).astype(np.float32)


def test_an_embedding_is_computed_once_and_read_back_equal(tmp_path):
    spy, file = Spy(), tmp_path / "answers.sqlite"
    cached = CachedTeacher(spy, file)
    first = cached.encode_images([*PICTURES, PICTURES[0]])
    np.testing.assert_array_equal(first, Spy().encode_images([*PICTURES, PICTURES[0]]))
    assert spy.asked == [3]
    again = CachedTeacher(spy, file)
    np.testing.assert_array_equal(again.encode_images(PICTURES[::-1]), first[:3][::-1])
    np.testing.assert_array_equal(again.encode_texts(TEXTS), Spy().encode_texts(TEXTS))
    again.encode_texts([TEXTS[1]])
    assert spy.asked == [3, 3]


def test_another_teacher_or_another_shape_is_another_entry(tmp_path):
    file, one, other = tmp_path / "answers.sqlite", Spy(), Spy()
    other.id = "another"
    CachedTeacher(one, file).encode_images([PICTURES[0]])
    CachedTeacher(other, file).encode_images([PICTURES[0]])
    CachedTeacher(one, file).encode_images([PICTURES[0].reshape(40, 30, 3)])
    assert (one.asked, other.asked) == ([1, 1], [1])


CHILD = """
import sys
import numpy as np
from pathlib import Path
from omnibind_ros.host.models.teachers import CachedTeacher
class Teacher:
    id = "spy"
    def encode_texts(self, texts):
        return np.stack([np.full(4, len(text), np.float32) for text in texts])
cached = CachedTeacher(Teacher(), Path(sys.argv[1]))
for n in range(60):
    cached.encode_texts(["x" * n, "x" * (n + 1)])
"""


def test_several_processes_may_use_one_cache(tmp_path):
    file = tmp_path / "answers.sqlite"
    path = os.pathsep.join([str(Path(__file__).parents[3]), os.environ.get("PYTHONPATH", "")])
    children = [
        subprocess.Popen([sys.executable, "-c", CHILD, str(file)], env={**os.environ, "PYTHONPATH": path})
        for _ in range(2)
    ]
    assert [child.wait(60) for child in children] == [0, 0]
    spy = Spy()
    answers = CachedTeacher(spy, file).encode_texts(["x" * n for n in range(61)])
    assert answers[:, 0].tolist() == list(range(61))
    assert spy.asked == []


def test_a_damaged_cache_is_one_line(tmp_path):
    file = tmp_path / "answers.sqlite"
    file.write_bytes(b"no database" * 100)
    with pytest.raises(ConfigError, match=r"answers.sqlite: .*delete"):
        CachedTeacher(Spy(), file).encode_texts(TEXTS)


def test_class_centres_are_centred_unit_vectors():
    centres = make_class_centres(Spy(), [["one", "a one"], ["two"], ["three"]])
    assert centres.shape == (3, D)
    np.testing.assert_allclose(np.linalg.norm(centres, axis=1), 1, rtol=1e-5)
    cosines = centres @ centres.T
    assert (cosines[~np.eye(3, dtype=bool)] < 0.1).all()
    np.testing.assert_allclose(centred(np.ones((1, D)), np.ones(D)), 0)


def test_a_tower_shares_the_space_of_its_texts():
    adaptor = make_preprocessor("image")
    torch.manual_seed(0)
    tower = Student(adaptor.input_shape[1:], D, StudentConfig((4,), stem_stride=2))
    teacher = TowerTeacher(Spy(), tower, adaptor)
    images = teacher.encode_images(PICTURES)
    assert images.shape == (3, D)
    np.testing.assert_allclose(np.linalg.norm(images, axis=1), 1, rtol=1e-5)
    np.testing.assert_array_equal(teacher.encode_texts(TEXTS), Spy().encode_texts(TEXTS))
    torch.nn.init.ones_(tower.head.bias)
    assert TowerTeacher(Spy(), tower, adaptor).id != teacher.id


def tiny_vocabulary(folder: Path) -> None:
    letters = sorted({*"abcdefghijklmnopqrstuvwxyz 0123456789"})
    tokens = ["<|startoftext|>", "<|endoftext|>", *letters, *(f"{letter}</w>" for letter in letters)]
    (folder / "vocab.json").write_text(json.dumps({token: n for n, token in enumerate(tokens)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    marks = {
        "bos_token": "<|startoftext|>",
        "eos_token": "<|endoftext|>",
        "unk_token": "<|endoftext|>",
        "pad_token": "<|endoftext|>",
    }
    config = {"tokenizer_class": "CLIPTokenizer", "model_max_length": 20, **marks}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))


@pytest.fixture(scope="module", params=["clip", "siglip"])
def towers(request, tmp_path_factory) -> Path:
    """A folder as transformers saves it: two tiny towers of random weights."""
    transformers = pytest.importorskip("transformers")
    folder: Path = tmp_path_factory.mktemp(request.param)
    layers = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    text = {**layers, "vocab_size": 80, "max_position_embeddings": 20, "bos_token_id": 0, "eos_token_id": 1}
    vision = {**layers, "image_size": 32, "patch_size": 16}
    torch.manual_seed(0)
    if request.param == "clip":
        config = transformers.CLIPConfig(text_config=text, vision_config=vision, projection_dim=D)
        transformers.CLIPModel(config).save_pretrained(folder)
        size = {
            "size": {"shortest_edge": 32},
            "do_center_crop": True,
            "crop_size": {"height": 32, "width": 32},
        }
    else:
        config = transformers.SiglipConfig(text_config=text, vision_config=vision)
        transformers.SiglipModel(config).save_pretrained(folder)
        size = {"size": {"height": 32, "width": 32}}
    tiny_vocabulary(folder)
    kind = "CLIPImageProcessor" if request.param == "clip" else "SiglipImageProcessor"
    constants = {
        "image_processor_type": kind,
        "image_mean": [0.5] * 3,
        "image_std": [0.5] * 3,
        "rescale_factor": 1 / 255,
        "resample": 3,
        **size,
    }
    (folder / "preprocessor_config.json").write_text(json.dumps(constants))
    return folder


def test_clip_and_siglip_are_read_from_a_folder(towers):
    teacher = TwoTowerTeacher(str(towers))
    texts, images = teacher.encode_texts(TEXTS), teacher.encode_images(PICTURES)
    assert texts.shape == images.shape == (3, D)
    assert texts.dtype == images.dtype == np.float32
    for vectors in (texts, images):
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-5)
        assert np.abs(vectors[0] - vectors[1]).max() > 1e-4
    np.testing.assert_allclose(teacher.encode_texts(TEXTS[1:2]), texts[1:2], atol=1e-5)
    np.testing.assert_allclose(teacher.encode_images(PICTURES[2:]), images[2:], atol=1e-5)
    assert TwoTowerTeacher(str(towers)).id == teacher.id


def test_pictures_are_prepared_as_in_the_training_of_the_model(towers):
    """Bicubic in Pillow, on the shorter edge and cropped (CLIP) or to the size (SigLIP), then normalised."""
    image = pytest.importorskip("PIL.Image")
    constants = json.loads((towers / "preprocessor_config.json").read_text())
    prepared = TwoTowerTeacher(str(towers)).pixels(PICTURES).numpy()
    assert prepared.shape == (3, 3, 32, 32) and prepared.dtype == np.float32
    for picture, pixels in zip(PICTURES, prepared, strict=True):
        height, width = picture.shape[:2]
        if "crop_size" in constants:
            shorter = min(height, width)
            resized = (int(32 * width / shorter), int(32 * height / shorter))
        else:
            resized = (32, 32)
        small = np.asarray(image.fromarray(picture).resize(resized, image.Resampling.BICUBIC))
        top, left = (small.shape[0] - 32) // 2, (small.shape[1] - 32) // 2
        expected = (small[top : top + 32, left : left + 32] / 255 - 0.5) / 0.5
        np.testing.assert_allclose(pixels, expected.transpose(2, 0, 1), atol=1e-5)


def test_pixels_are_those_of_the_image_processor_of_transformers(towers):
    transformers = pytest.importorskip("transformers")
    processor = transformers.AutoImageProcessor.from_pretrained(towers, backend="pil")
    theirs = processor(images=PICTURES, return_tensors="np")["pixel_values"]
    ours = TwoTowerTeacher(str(towers)).pixels(PICTURES)
    np.testing.assert_array_equal(ours.numpy(), theirs)


def test_a_picture_three_pixels_high_is_not_taken_for_three_channels(towers):
    flat = np.full((3, 40, 3), 255, np.uint8)
    pixels = TwoTowerTeacher(str(towers)).pixels([flat])
    np.testing.assert_allclose(pixels.numpy(), np.ones((1, 3, 32, 32)), atol=1e-5)


def test_the_same_weights_with_another_preparation_are_another_teacher(towers, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(towers, other)
    constants = json.loads((towers / "preprocessor_config.json").read_text())
    (other / "preprocessor_config.json").write_text(json.dumps({**constants, "image_mean": [0.4] * 3}))
    assert TwoTowerTeacher(str(other)).id != TwoTowerTeacher(str(towers)).id


def test_no_such_teacher_is_one_line(tmp_path, monkeypatch):
    pytest.importorskip("transformers")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(ConfigError, match="neither a folder with a model nor") as refused:
        TwoTowerTeacher(str(tmp_path))
    assert "\n" not in str(refused.value)
