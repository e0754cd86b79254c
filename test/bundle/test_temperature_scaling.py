"""Temperature scaling: one scale per number of live sensors."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from omnibind_ros.bundle.temperature_scaling import TemperatureScaling
from omnibind_ros.config.strict_yaml import parse_yaml
from omnibind_ros.errors import ConfigError


def test_the_scale_depends_on_how_many_are_live() -> None:
    scaling = TemperatureScaling(scale_by_count=(4.0, 8.0, 12.0), unknown_threshold=0.0)
    assert [scaling.scale(n) for n in (1, 2, 3, 4, 9)] == [4.0, 8.0, 12.0, 12.0, 12.0]
    cosines = np.array([0.9, 0.1, -0.3], np.float32)
    expected = np.exp(8 * cosines.astype(float))
    assert np.allclose(scaling.probabilities(cosines, 2), expected / expected.sum())


def test_huge_scales_do_not_overflow() -> None:
    scaling = TemperatureScaling(scale_by_count=(1e6,), unknown_threshold=0.0)
    assert scaling.probabilities(np.array([1.0, 0.5], np.float32), 1).tolist() == [1.0, 0.0]


@pytest.mark.parametrize(
    "wrong",
    [
        {"scale_by_count": []},
        {"scale_by_count": [1.0, 0.0]},
        {"scale_by_count": [math.nan]},
        {"unknown_threshold": 1.5},
    ],
)
def test_values_out_of_range_are_refused_by_name(wrong: dict[str, Any], tmp_path: Any) -> None:
    values = {"scale_by_count": [1.0], "unknown_threshold": 0.5, **wrong}
    text = "".join(f"{key}: {str(value).replace('nan', '.nan')}\n" for key, value in values.items())
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        parse_yaml(text, tmp_path / "bundle.yaml").validate(TemperatureScaling)
