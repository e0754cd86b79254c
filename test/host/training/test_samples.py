"""Recordings become tensors by the preprocessing of the robot."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from omnibind_ros.host.data.readers import read_recordings  # noqa: E402
from omnibind_ros.host.data.recipe import load_recipe  # noqa: E402
from omnibind_ros.host.data.recording import Recording  # noqa: E402
from omnibind_ros.host.data.simulated import simulated_recordings  # noqa: E402
from omnibind_ros.host.training.samples import NEGATIVE, prepare_samples  # noqa: E402
from omnibind_ros.modalities.registry import make_preprocessor  # noqa: E402

RECIPE = load_recipe("digits").model_copy(update={"simulated": {"audio": 2, "image": 1}})


def test_variants_are_augmented_and_the_first_is_the_recording_itself():
    adaptor = make_preprocessor("audio")
    recordings = simulated_recordings(RECIPE, "audio")
    samples = prepare_samples(recordings, RECIPE.label_names, adaptor, variants=3)
    assert samples.inputs.shape == (20, 3, 1, 40, 98)
    assert samples.labels.tolist() == sorted(list(range(10)) * 2)
    as_on_the_robot = adaptor.prepare(recordings[0].load())[0]
    np.testing.assert_allclose(samples.clean[0].numpy(), as_on_the_robot, atol=2e-3)
    assert not torch.equal(samples.inputs[0, 0], samples.inputs[0, 1])


def test_simulated_recordings_are_reproducible_and_differ():
    first, second = simulated_recordings(RECIPE, "audio")[:2]
    np.testing.assert_array_equal(first.load(), first.load())
    assert first.load().shape != second.load().shape or not np.array_equal(first.load(), second.load())
    other_seed = simulated_recordings(RECIPE, "audio", seed=1)[0].load()
    assert other_seed.shape != first.load().shape or not np.array_equal(other_seed, first.load())


def test_what_fails_the_checks_is_left_out_and_no_label_is_a_negative():
    black = Recording("image", "x", "black", "3", "", lambda: np.zeros((40, 40, 3), np.uint8))
    noise = np.random.default_rng(0).integers(0, 255, (40, 40, 3), np.uint8)
    negative = Recording("image", "x", "noise", None, "", lambda: noise)
    samples = prepare_samples([black, negative], RECIPE.label_names, make_preprocessor("image"))
    assert samples.labels.tolist() == [NEGATIVE]


@pytest.mark.parametrize("modality", ["point_cloud", "imu", "skeleton"])
def test_every_modality_of_real_actions_becomes_samples(data_root, modality):
    recipe = load_recipe("actions")
    takes = [r for r in read_recordings(recipe, data_root, (modality,)) if "_t1_" in r.name][:16]
    adaptor = recipe.preprocessor(modality)
    samples = prepare_samples(takes, recipe.label_names, adaptor, variants=2)
    assert samples.inputs.shape == (16, 2, *adaptor.input_shape[1:])
    assert torch.isfinite(samples.inputs).all()
    assert len(set(samples.labels.tolist())) > 1 and set(samples.groups) == set("1234567")
    assert len({x.numpy().tobytes() for x in samples.inputs.reshape(32, -1)}) == 32


def test_corrupted_versions_pass_the_checks_and_do_not_change_the_others():
    adaptor = make_preprocessor("image")
    recordings = simulated_recordings(RECIPE, "image")
    without = prepare_samples(recordings, RECIPE.label_names, adaptor)
    samples = prepare_samples(recordings, RECIPE.label_names, adaptor, corrupted=6)
    assert torch.equal(samples.inputs, without.inputs)
    assert samples.corrupted.shape == (10, 6, 3, 48, 48) and not without.corrupted.numel()
    apart = (samples.corrupted.float() - samples.inputs[:, :1].float()).abs().mean(dim=(2, 3, 4))
    assert (apart > 0).float().mean() > 0.9 and torch.isfinite(samples.corrupted).all()
    again = prepare_samples(recordings, RECIPE.label_names, adaptor, corrupted=6)
    assert torch.equal(again.corrupted, samples.corrupted)
    half = samples[np.arange(10) < 5]
    assert torch.equal(half.corrupted, samples.corrupted[:5])
    assert torch.equal(
        type(samples).joined(half, half).corrupted, samples.corrupted[:5].repeat(2, 1, 1, 1, 1)
    )
    text = prepare_samples(
        simulated_recordings(RECIPE, "text"), RECIPE.label_names, make_preprocessor("text"), corrupted=2
    )
    assert not text.corrupted.numel()
