"""A ring always shows the newest frames."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from omnibind_ros.modalities.ring import Ring


@given(st.integers(1, 12), st.lists(st.integers(0, 30), max_size=30))
def test_the_view_is_the_tail_of_all_that_was_pushed(length, sizes):
    ring, pushed, position = Ring(length, (2,)), np.zeros((0, 2), np.float32), 0
    for size in sizes:
        frames = np.arange(position, position + 2 * size, dtype=np.float32).reshape(size, 2)
        position += 2 * size
        pushed = np.concatenate([pushed, frames])
        ring.push(frames)
        np.testing.assert_array_equal(ring.view, pushed[-length:])
        assert ring.total == len(pushed)
    ring.clear()
    assert len(ring.view) == 0
