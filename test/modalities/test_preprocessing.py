"""What all preprocessors have in common."""

from __future__ import annotations

import numpy as np
import pytest

from omnibind_ros.errors import ConfigError
from omnibind_ros.host.data.scene import Scene
from omnibind_ros.modalities.registry import having, make_preprocessor


@pytest.mark.parametrize("modality", having("simulate"))
@pytest.mark.parametrize("label", range(10))
def test_every_simulated_sample_is_good_and_has_the_models_shape(modality, label):
    preprocessor, raw = make_preprocessor(modality), Scene(label, seed=5).sample(modality)
    assert preprocessor.check(raw).quality > 0.3
    data = preprocessor.prepare(raw)
    assert data.shape == preprocessor.input_shape
    assert data.dtype == np.float32
    assert np.isfinite(data).all()
    assert np.abs(data).max() < 20


def test_a_mistyped_modality_constant_or_option_names_the_nearest():
    with pytest.raises(ConfigError, match="'thermal'"):
        make_preprocessor("termal")
    with pytest.raises(ConfigError, match="'size'"):
        make_preprocessor("image", {"sise": 3})
    with pytest.raises(ConfigError, match="'channels'"):
        make_preprocessor("audio", chanels=2)


def test_a_modality_of_ones_own_names_its_preprocessor():
    assert make_preprocessor("night_camera", {"adaptor": "thermal", "size": 24}).input_shape == (1, 1, 24, 24)
