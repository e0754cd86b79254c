"""An embedding crosses the wire bit by bit, in the layout that others rely on."""

from __future__ import annotations

import struct
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from omnibind_ros.errors import BadMessage
from omnibind_ros.messages.embedding_cloud import (
    decode_embedding,
    encode_embedding,
    encode_fused,
    encode_withdrawal,
)
from omnibind_ros.types import Embedding, LabelScore, Recognition

STAMP = 1_700_000_000_123_456_789


def describe(embedding):
    return (
        embedding.sensor,
        embedding.modality,
        embedding.vector.tolist(),
        embedding.stamp,
        embedding.space,
        embedding.quality,
        embedding.evidence,
        embedding.frame_id,
        embedding.span,
    )


@given(
    st.lists(st.floats(width=32, allow_nan=False), min_size=1, max_size=40),
    st.integers(0, 2**31 * 10**9 - 1),
    st.integers(0, 2**32 - 1),
    st.floats(0, 1, width=32),
    st.floats(-50, 50, width=32),
    st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\0"), max_size=10),
    st.floats(0, 10, width=32),
)
@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_round_trip(over_the_wire, values, stamp, space, quality, evidence, frame_id, span):
    embedding = Embedding(
        "palm", "touch", np.array(values, np.float32), stamp, space, quality, evidence, frame_id, span
    )
    received = decode_embedding(over_the_wire(encode_embedding(embedding)), "palm")
    assert describe(received) == describe(embedding)
    assert received.vector.dtype == np.float32


def test_the_golden_layout(vector):
    embedding = Embedding(
        "mic", "audio", np.array([1.0, -2.5], np.float32), STAMP, 0xDDCCBBAA, 0.5, -1.0, "head", 2.0
    )
    cloud = encode_embedding(embedding)
    assert [(f.name, f.offset, f.datatype, f.count) for f in cloud.fields] == [
        ("audio", 0, 7, 2),
        ("quality", 8, 7, 1),
        ("evidence", 12, 7, 1),
        ("space", 16, 6, 1),
        ("span", 20, 7, 1),
    ]
    assert bytes(cloud.data).hex(" ", 4) == "0000803f 000020c0 0000003f 000080bf aabbccdd 00000040"
    assert (cloud.height, cloud.width, cloud.point_step, cloud.row_step) == (1, 1, 24, 24)
    assert (cloud.is_bigendian, cloud.is_dense) == (False, True)
    assert (cloud.header.stamp.sec, cloud.header.stamp.nanosec) == (1_700_000_000, 123_456_789)
    assert cloud.header.frame_id == "head"


def test_withdrawal(over_the_wire):
    cloud = over_the_wire(encode_withdrawal("image", STAMP, "camera"))
    assert (cloud.height * cloud.width, len(cloud.data), cloud.fields[0].name) == (0, 0, "image")
    assert decode_embedding(cloud, "front_camera") is None


def test_the_vector_is_a_view_of_the_message(vector):
    point = np.concatenate([vector(8), np.zeros(3, np.float32)]).view(np.uint8)
    message = cloud_of(
        [("image", 0, 7, 8), ("quality", 32, 7, 1), ("evidence", 36, 7, 1), ("space", 40, 6, 1)]
    )
    message.data = point
    assert np.shares_memory(decode_embedding(message, "camera").vector, point)


def cloud_of(fields, data=b"\0" * 64, **others):
    values = dict(
        header=SimpleNamespace(stamp=SimpleNamespace(sec=1, nanosec=2), frame_id="f"),
        height=1,
        width=1,
        is_bigendian=False,
        fields=[
            SimpleNamespace(name=name, offset=offset, datatype=datatype, count=count)
            for name, offset, datatype, count in fields
        ],
        data=np.frombuffer(data, np.uint8),
    )
    return SimpleNamespace(**{**values, **others})


def test_other_fields_and_another_order_after_the_first_are_fine():
    data = struct.pack("<Id2ffdf", 77, 0.0, 0.6, 0.8, 2.0, 0.0, 0.25)
    fields = [
        ("imu", 12, 7, 2),
        ("quality", 32, 7, 1),
        ("extra", 4, 8, 1),
        ("space", 0, 6, 1),
        ("evidence", 20, 7, 1),
    ]
    embedding = decode_embedding(cloud_of(fields, data), "wrist")
    assert embedding.modality == "imu"
    np.testing.assert_array_equal(embedding.vector, np.array([0.6, 0.8], np.float32))
    assert (embedding.space, embedding.evidence, embedding.quality) == (77, 2.0, 0.25)


GOOD = [("image", 0, 7, 4), ("quality", 16, 7, 1), ("evidence", 20, 7, 1), ("space", 24, 6, 1)]


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        (cloud_of(GOOD, b"\0" * 27), "cut: field 'space' ends at byte 28 of 27"),
        (cloud_of([("image", 0, 7, 400), *GOOD[1:]]), "cut: field 'image' ends at byte 1600 of 64"),
        (cloud_of([("image", 0, 8, 4), *GOOD[1:]]), "'image' is datatype 8 x 4, not FLOAT32"),
        (cloud_of([("image", 0, 7, 0), *GOOD[1:]]), "'image' is datatype 7 x 0"),
        (cloud_of([*GOOD[:3], ("space", 24, 7, 1)]), "'space' is datatype 7 x 1, not UINT32"),
        (cloud_of(GOOD[:2]), "no field evidence, space; is this a point cloud"),
        (cloud_of([]), "no fields"),
        (cloud_of(GOOD, width=5), "5 points; an embedding is one"),
        (cloud_of(GOOD, is_bigendian=True), "big endian"),
    ],
)
def test_what_is_no_embedding_is_refused_with_the_sensor_named(bad, says):
    with pytest.raises(BadMessage, match=f"'camera'.*{says}"):
        decode_embedding(bad, "camera")


numbers = st.one_of(st.integers(0, 20), st.integers(0, 2**32 - 1))
names = st.sampled_from(["image", "quality", "evidence", "space"])
random_fields = st.lists(st.tuples(names, numbers, st.integers(0, 9), numbers), max_size=6)


@given(random_fields, st.binary(max_size=100), st.integers(0, 3), st.integers(0, 2))
def test_random_clouds_are_embeddings_or_bad_messages(fields, data, height, width):
    try:
        decode_embedding(cloud_of(fields, data, height=height, width=width), "camera")
    except BadMessage:
        return


def test_the_fused_point_travels_alike(over_the_wire, vector):
    recognition = Recognition(STAMP, (LabelScore("3", 1.0),), fused=vector(16))
    received = decode_embedding(over_the_wire(encode_fused(recognition, 9, "base_link")), "fusion")
    np.testing.assert_array_equal(received.vector, recognition.fused)
    assert (received.modality, received.space, received.stamp) == ("fused", 9, STAMP)
    assert decode_embedding(over_the_wire(encode_fused(Recognition(STAMP), 9)), "fusion") is None
