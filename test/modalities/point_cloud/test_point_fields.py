"""PointCloud2: the same points in any layout; invalid returns; large clouds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sensor_messages import cloud, point_field

from omnibind_ros.errors import BadMessage
from omnibind_ros.modalities.point_cloud.point_fields import decode_points

POINTS = np.array([[1, 2, 3], [-4, 5, 6], [7, 8, -9], [10, 11, 12]], np.float32)

layouts = st.permutations(
    [("x", None), ("y", None), ("z", None), ("intensity", "f4"), ("rgb", "u4"), ("histogram", "f8", 5)]
)


@given(
    layouts, st.lists(st.sampled_from(["f4", "f8", "i1", "i2", "i4"]), min_size=3, max_size=3),
    st.sampled_from("<>"), st.sampled_from([1, 2, 4]), st.integers(0, 5), st.integers(0, 9),
)  # fmt: skip
def test_any_layout_gives_the_same_points(layout, kinds, order, height, gap, row_gap):
    kinds = dict(zip("xyz", kinds, strict=True))
    layout = [(name, kinds.get(name, kind[0] if kind else None), *kind[1:]) for name, *kind in layout]
    points, dropped = decode_points(
        cloud(POINTS, layout, order=order, height=height, gap=gap, row_gap=row_gap)
    )
    assert points.dtype == np.float32 and dropped == 0
    np.testing.assert_array_equal(points, POINTS)


def test_points_that_are_not_finite_are_left_out_and_counted():
    points = POINTS.copy()
    points[1, 0], points[2, 2] = np.nan, -np.inf
    kept, dropped = decode_points(cloud(points))
    np.testing.assert_array_equal(kept, POINTS[[0, 3]])
    assert dropped == 2


def test_nothing_but_nan():
    points, dropped = decode_points(cloud(np.full((5, 3), np.nan)))
    assert points.shape == (0, 3) and dropped == 5


def test_zero_returns_are_left_out_and_counted():
    kept, dropped = decode_points(cloud(np.concatenate([POINTS, np.zeros((3, 3)), [[0, 0, 1]]])))
    np.testing.assert_array_equal(kept, [*POINTS, [0, 0, 1]])
    assert dropped == 3


def test_a_single_point_at_the_origin_is_a_point():
    assert decode_points(cloud(np.concatenate([POINTS, np.zeros((1, 3))])))[1] == 0


def test_zero_returns_are_kept_on_demand():
    kept, dropped = decode_points(cloud(np.zeros((5, 3))), skip_zero_returns=False)
    assert (len(kept), dropped) == (5, 0)


@pytest.mark.parametrize("row_gap", [0, 8])
@pytest.mark.parametrize(("height", "width"), [(1, 50_000), (480, 640), (64, 1000), (40, 1000)])
def test_of_a_large_cloud_points_of_all_columns_rows_and_rings_are_read(height, width, row_gap):
    row, column = np.divmod(np.arange(height * width), width)
    points = np.stack([column + 1, row, np.arange(height * width) % 40], axis=1).astype(np.float32)
    kept, dropped = decode_points(cloud(points, height=height, row_gap=row_gap), most=5000)
    assert 2000 < len(kept) <= 5000 and dropped == 0
    for axis in range(3):
        values = len(np.unique(points[:, axis]))
        assert len(np.unique(kept[:, axis])) >= min(values, 0.95 * len(kept) if height == 1 else values)


@pytest.mark.parametrize("invalid", [0.0, np.nan])
@pytest.mark.parametrize("valid", [0, 20, 900])
def test_a_few_valid_points_of_a_large_cloud_are_all_read(invalid, valid):
    points = np.full((307_200, 3), invalid, np.float32)
    points[np.linspace(0, 307_199, valid).astype(int)] = 1 + np.arange(valid)[:, None]
    kept, dropped = decode_points(cloud(points, height=480), most=4000)
    assert sorted(kept[:, 0].tolist()) == (1 + np.arange(valid)).tolist()
    assert dropped == 307_200 - valid


def test_a_coordinate_beyond_float32_is_not_finite():
    points, dropped = decode_points(cloud(np.array([[1e300, 0, 0]]), [("x", "f8"), ("y", "f8"), ("z", "f8")]))
    assert len(points) == 0 and dropped == 1


@pytest.mark.parametrize("fields", [{}, {"fields": []}])
def test_zero_points_is_no_error(fields):
    points, dropped = decode_points(cloud(np.empty((0, 3)), **fields))
    assert points.shape == (0, 3) and points.dtype == np.float32 and dropped == 0


def test_row_step_of_a_single_row_is_not_needed():
    np.testing.assert_array_equal(decode_points(cloud(POINTS, row_step=0))[0], POINTS)


XY = [("x", "f4"), ("y", "f4"), ("intensity", "f4")]


@pytest.mark.parametrize(
    ("bad", "error"),
    [
        (cloud(POINTS, XY), "no field z; it has x, y, intensity"),
        (cloud(POINTS, fields=[]), "no field x, y, z; it has no fields"),
        (replace(cloud(POINTS), data=cloud(POINTS).data[:-1]), "cut: 47 bytes.* need 48"),
        (cloud(POINTS, height=2, row_step=23), "row_step is 23 bytes.* has 24"),
        (cloud(POINTS, point_step=11), "'z' ends at byte 12, but points are 11"),
        (
            cloud(POINTS, fields=[point_field("x", 0, 9), point_field("y", 4), point_field("z", 8)]),
            "'x' has unknown datatype 9",
        ),
        (
            cloud(POINTS, fields=[point_field("x", 0, count=3), point_field("y", 4), point_field("z", 8)]),
            "'x' has count 3",
        ),
        (cloud(POINTS, width=2**32 - 1), "cut"),
        (cloud(POINTS, point_step=0, width=2**32 - 1), "ends at byte 4"),
    ],
)
def test_bad_clouds(bad, error):
    with pytest.raises(BadMessage, match=error):
        decode_points(bad)


numbers = st.one_of(st.integers(0, 20), st.integers(0, 2**32 - 1))
random_fields = st.lists(
    st.builds(
        point_field, st.sampled_from(["x", "y", "z", "i"]), numbers, st.integers(0, 9), st.integers(0, 2)
    ),
    max_size=5,
)


@given(
    numbers, numbers, numbers, numbers, random_fields, st.booleans(), st.binary(max_size=400),
    st.one_of(st.none(), st.integers(1, 9)), st.booleans(),
)  # fmt: skip
def test_random_fields_decode_or_are_bad_messages(
    height, width, point_step, row_step, fields, bigendian, data, most, skip
):
    message = cloud(
        np.empty((0, 3)), height=1, width=width, point_step=point_step, row_step=row_step, fields=fields,
        is_bigendian=bigendian, data=data,
    )  # fmt: skip
    message.height = height
    try:
        points, dropped = decode_points(message, most=most, skip_zero_returns=skip)
    except BadMessage:
        return
    assert np.isfinite(points).all()
    assert len(points) + dropped == height * width or most is not None
    assert most is None or len(points) <= most
