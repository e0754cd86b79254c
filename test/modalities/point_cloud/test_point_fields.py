"""PointCloud2: any layout that says the same gives the same points."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnibind_ros.errors import BadMessage
from omnibind_ros.modalities.point_cloud.point_fields import decode_points

CODES = {"i1": 1, "u1": 2, "i2": 3, "u2": 4, "i4": 5, "u4": 6, "f4": 7, "f8": 8}


def field(name, offset, datatype=7, count=1):
    return SimpleNamespace(name=name, offset=offset, datatype=datatype, count=count)


XYZ = (("x", "f4"), ("y", "f4"), ("z", "f4"))


def cloud(points, layout=XYZ, *, order="<", height=1, gap=0, row_gap=0, **fields):
    """A PointCloud2 with fields in the order of `layout` (name, type[, count]), `gap` bytes after each."""
    offsets, step = [], 0
    for _, kind, *count in layout:
        offsets.append(step)
        step += np.dtype(kind).itemsize * (count[0] if count else 1) + gap
    n = len(points)
    raw = np.full((n, step), 0xEE, np.uint8)
    for (name, kind, *_), offset in zip(layout, offsets, strict=True):
        if name in "xyz":
            column = points[:, "xyz".index(name)].astype(order + kind)
            raw[:, offset : offset + column.itemsize] = column.view(np.uint8).reshape(n, column.itemsize)
    rows = raw.reshape(height, n // height * step)
    rows = np.concatenate([rows, np.full((height, row_gap), 0xEE, np.uint8)], axis=1)
    values = dict(
        height=height,
        width=n // height,
        fields=[
            field(name, offset, CODES[kind], *count)
            for (name, kind, *count), offset in zip(layout, offsets, strict=True)
        ],
        is_bigendian=order == ">",
        point_step=step,
        row_step=rows.shape[1],
        data=rows.tobytes(),
    )
    return SimpleNamespace(**{**values, **fields})


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


def test_the_plain_cloud_is_a_view():
    message = cloud(POINTS)
    message.data = np.frombuffer(message.data, np.uint8)
    assert np.shares_memory(decode_points(message)[0], message.data)


def test_points_that_are_not_finite_are_left_out_and_counted():
    points = POINTS.copy()
    points[1, 0], points[2, 2] = np.nan, -np.inf
    kept, dropped = decode_points(cloud(points))
    np.testing.assert_array_equal(kept, POINTS[[0, 3]])
    assert dropped == 2


def test_nothing_but_nan():
    points, dropped = decode_points(cloud(np.full((5, 3), np.nan)))
    assert points.shape == (0, 3) and dropped == 5


def test_a_coordinate_beyond_float32_is_not_finite():
    points, dropped = decode_points(cloud(np.array([[1e300, 0, 0]]), [("x", "f8"), ("y", "f8"), ("z", "f8")]))
    assert len(points) == 0 and dropped == 1


@pytest.mark.parametrize("fields", [dict(), dict(fields=[])])
def test_zero_points_is_no_error(fields):
    points, dropped = decode_points(cloud(np.empty((0, 3)), **fields))
    assert points.shape == (0, 3) and points.dtype == np.float32 and dropped == 0


def test_row_step_of_a_single_row_is_not_needed():
    np.testing.assert_array_equal(decode_points(cloud(POINTS, row_step=0))[0], POINTS)


XY = [("x", "f4"), ("y", "f4"), ("intensity", "f4")]


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        (cloud(POINTS, XY), "no field z; it has x, y, intensity"),
        (cloud(POINTS, fields=[]), "no field x, y, z; it has no fields"),
        (cloud(POINTS, data=cloud(POINTS).data[:-1]), "cut: 47 bytes.* need 48"),
        (cloud(POINTS, height=2, row_step=23), "row_step is 23 bytes.* has 24"),
        (cloud(POINTS, point_step=11), "'z' ends at byte 12, but its points are 11"),
        (
            cloud(POINTS, fields=[field("x", 0, 9), field("y", 4), field("z", 8)]),
            "'x' has unknown datatype 9",
        ),
        (cloud(POINTS, fields=[field("x", 0, count=3), field("y", 4), field("z", 8)]), "'x' has count 3"),
        (cloud(POINTS, fields=[field("x", -4), field("y", 4), field("z", 8)]), "'offset' is -4"),
        (cloud(POINTS, fields=7), "fields are int"),
        (cloud(POINTS, width=2**40), "cut"),
        (cloud(POINTS, point_step=0, width=2**62), "ends at byte 4"),
        (SimpleNamespace(height=1, width=1), "no field 'point_step'"),
    ],
)
def test_bad_clouds(bad, says):
    with pytest.raises(BadMessage, match=says):
        decode_points(bad)


numbers = st.one_of(st.integers(0, 20), st.integers(-2, 2**33))
random_fields = st.lists(
    st.builds(field, st.sampled_from(["x", "y", "z", "i"]), numbers, st.integers(0, 9), st.integers(0, 2)),
    max_size=5,
)


@given(numbers, numbers, numbers, numbers, random_fields, st.booleans(), st.binary(max_size=400))
def test_random_fields_decode_or_are_bad_messages(
    height, width, point_step, row_step, fields, bigendian, data
):
    message = SimpleNamespace(
        height=height, width=width, point_step=point_step, row_step=row_step, fields=fields,
        is_bigendian=bigendian, data=data,
    )  # fmt: skip
    try:
        points, dropped = decode_points(message)
    except BadMessage:
        return
    assert np.isfinite(points).all()
    assert len(points) + dropped == height * width
