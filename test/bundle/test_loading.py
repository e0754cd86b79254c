from __future__ import annotations

import pytest

from omnibind_ros.bundle.loading import Bundle
from omnibind_ros.errors import BundleError, ConfigError, SpaceMismatch
from omnibind_ros.types import Space


def refusal(folder) -> str:
    with pytest.raises(BundleError) as caught:
        Bundle.load(folder)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def edit(folder, old: str, new: str) -> None:
    manifest = folder / "bundle.yaml"
    text = manifest.read_text()
    assert old in text
    manifest.write_text(text.replace(old, new, 1))


def test_a_whole_bundle_is_loaded(bundle_folder, tiny):
    bundle = Bundle.load(bundle_folder)
    assert bundle.name == "tiny"
    assert bundle.space == Space("test/tiny/1", tiny.dim)
    assert bundle.modalities == ("image", "audio")
    assert bundle.labels_path.read_bytes() == b"labels"
    assert bundle.manifest.calibration.scale_by_count == (14.0, 11.0)
    model = bundle.encoder_model("image")
    assert (model.precision, model.input.shape, model.preprocessing) == ("fp32", (1, 4), {"size": 4})


def test_an_encoder_needs_no_file_of_another_after_loading(bundle_folder):
    bundle = Bundle.load(bundle_folder)
    for other in ("audio.fp32.onnx", "fusion.onnx", "labels.npz"):
        (bundle_folder / other).unlink()
    engine = bundle.load_encoder("image")
    assert [spec.name for spec in engine.outputs] == ["embedding", "evidence"]


@pytest.mark.parametrize("file", ["image.fp32.onnx", "audio.fp32.onnx", "fusion.onnx", "labels.npz"])
def test_one_flipped_bit_is_refused(bundle_folder, file):
    content = bytearray((bundle_folder / file).read_bytes())
    content[len(content) // 2] ^= 1
    (bundle_folder / file).write_bytes(content)
    assert f"{file}: damaged: sha256 " in refusal(bundle_folder)


def test_a_missing_file_is_refused(bundle_folder):
    (bundle_folder / "fusion.onnx").unlink()
    assert "fusion.onnx: missing, though bundle.yaml lists it" in refusal(bundle_folder)


def test_a_cut_file_is_refused_with_its_sizes(bundle_folder):
    (bundle_folder / "labels.npz").write_bytes(b"lab")
    assert "labels.npz: has 3 bytes instead of 6" in refusal(bundle_folder)


def test_a_newer_format_is_refused_before_its_unknown_keys(bundle_folder):
    edit(bundle_folder, "format_version: 1", "format_version: 2\nhologram: true")
    assert "bundle format 2 is newer than 1" in refusal(bundle_folder)


@pytest.mark.parametrize(
    "path", ["../labels.npz", "/etc/passwd", "a/../../labels.npz", "..\\labels.npz", "."]
)
def test_a_path_out_of_the_folder_is_refused(bundle_folder, path):
    edit(bundle_folder, "file: labels.npz", f"file: '{path}'")
    assert "labels.file: " in refusal(bundle_folder)


def test_a_typo_in_the_manifest_names_line_and_nearest(bundle_folder):
    edit(bundle_folder, "max_sensors:", "max_sensor:")
    assert "fusion.max_sensor: unknown key; did you mean 'max_sensors'?" in refusal(bundle_folder)


def test_an_encoder_of_another_space_is_refused(bundle_folder):
    edit(bundle_folder, "    preprocessing:", "    space: test/other/1\n    preprocessing:")
    with pytest.raises(SpaceMismatch, match="'image' was trained into space 'test/other/1'"):
        Bundle.load(bundle_folder)


def test_an_embedding_of_another_size_than_the_space_is_refused(tmp_path, tiny):
    bundle = Bundle.load(tiny.write_bundle(tmp_path / "wide", encoder_dim=tiny.dim + 1))
    with pytest.raises(SpaceMismatch, match=r"shape \[1, 9\], space 'test/tiny/1' needs \[1, 8\]"):
        bundle.load_encoder("image")


def test_a_model_that_is_not_what_the_manifest_says_is_refused(bundle_folder):
    edit(bundle_folder, "name: signal", "name: sound")
    with pytest.raises(
        BundleError, match=r"its input is signal: float32 \[1, 4\], in the manifest it is sound: float32"
    ):
        Bundle.load(bundle_folder).load_encoder("image")


def test_an_unknown_modality_or_precision_names_the_nearest(bundle_folder):
    bundle = Bundle.load(bundle_folder)
    with pytest.raises(ConfigError, match=r"no encoder for 'audoi'; did you mean 'audio'\?"):
        bundle.encoder_model("audoi")
    with pytest.raises(ConfigError, match=r"precision 'fp3'; did you mean 'fp32'\?"):
        bundle.encoder_model("audio", "fp3")
