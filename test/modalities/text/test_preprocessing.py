"""Text."""

from __future__ import annotations

import numpy as np
from sensor_messages import text

from omnibind_ros.modalities.registry import make_preprocessor


def test_text_is_lower_cased_and_needs_words():
    preprocessor = make_preprocessor("text")
    (a,), (b,) = preprocessor.feed(text("Three!")), preprocessor.feed(text(" three "))
    np.testing.assert_array_equal(a.data, b.data)
    (nothing,) = preprocessor.feed(text("?!"))
    assert nothing.quality == 0
