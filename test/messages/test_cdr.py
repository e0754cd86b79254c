from __future__ import annotations

from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omnibind_ros.errors import BadMessage, ConfigError
from omnibind_ros.messages.cdr import deserialise, message_class, serialise, type_hash

CLASSIFICATION = "vision_msgs/msg/Classification"
IMAGE = "sensor_msgs/msg/Image"


def header() -> object:
    stamp = message_class("builtin_interfaces/msg/Time")(sec=1, nanosec=2)
    return message_class("std_msgs/msg/Header")(stamp=stamp, frame_id="base_link")


def classification() -> object:
    result = message_class("vision_msgs/msg/ObjectHypothesis")(class_id="three", score=0.75)
    return message_class(CLASSIFICATION)(header=header(), results=[result])


def image(pixels: np.ndarray) -> object:
    height, width = pixels.shape
    return message_class(IMAGE)(
        header=header(),
        height=height,
        width=width,
        encoding="mono8",
        is_bigendian=0,
        step=width,
        data=pixels.ravel(),
    )


def test_hashes_of_ros_2_itself() -> None:
    assert type_hash("std_msgs/msg/String").startswith("RIHS01_df668c740482bbd48fb39d76a70dfd4b")
    assert type_hash(IMAGE) == "RIHS01_d31d41a9a4c4bc8eae9be757b0beed306564f7526c88ea6a4588fb9582527d47"


@pytest.mark.parametrize(
    "name",
    [
        "vision_msgs/msg/Classification",
        "vision_msgs/msg/LabelInfo",
        "audio_common_msgs/msg/AudioData",
        "audio_common_msgs/msg/AudioDataStamped",
        "audio_common_msgs/msg/AudioInfo",
        "event_camera_msgs/msg/EventPacket",
        "dvs_msgs/msg/EventArray",
        "sensor_msgs/msg/PointCloud2",
        "sensor_msgs/msg/CompressedImage",
        "sensor_msgs/msg/Imu",
        "diagnostic_msgs/msg/DiagnosticArray",
        "std_msgs/msg/String",
    ],
)
def test_every_type_of_the_interface_is_there(name: str) -> None:
    assert message_class(name).__msgtype__ == name
    assert len(type_hash(name)) == len("RIHS01_") + 64


def test_golden_cdr() -> None:
    expected = (
        "00010000"  # little endian CDR
        "01000000"
        "02000000"
        "0a000000"
        "626173655f6c696e6b00"
        "0000"  # stamp, frame_id, padding
        "01000000"
        "06000000"
        "746872656500"
        "0000"  # one result: class_id, padding
        "000000000000e83f"  # score
    )
    assert serialise(classification(), CLASSIFICATION).hex() == expected


def test_round_trip() -> None:
    back = deserialise(serialise(classification(), CLASSIFICATION), CLASSIFICATION)
    assert (back.header.stamp.sec, back.header.frame_id) == (1, "base_link")
    assert [(result.class_id, result.score) for result in back.results] == [("three", 0.75)]


def test_arrays_are_views_of_the_payload() -> None:
    pixels = np.arange(12, dtype=np.uint8).reshape(3, 4)
    payload = bytes(serialise(image(pixels), IMAGE))
    data = deserialise(payload, IMAGE).data
    np.testing.assert_array_equal(data, pixels.ravel())
    assert np.shares_memory(data, np.frombuffer(payload, np.uint8))


def test_big_endian_is_read() -> None:
    payload = bytes.fromhex("00000000000000036869") + b"\0"
    assert deserialise(payload, "std_msgs/msg/String").data == "hi"


def test_unknown_type_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match="did you mean 'sensor_msgs/msg/Image'"):
        message_class("sensor_msgs/Image")


def test_message_of_another_type_is_refused() -> None:
    with pytest.raises(BadMessage, match="as sensor_msgs/msg/Image"):
        serialise(classification(), IMAGE)


@settings(max_examples=200)
@given(st.binary(max_size=200), st.sampled_from([CLASSIFICATION, IMAGE, "sensor_msgs/msg/PointCloud2"]))
def test_any_bytes_are_a_message_or_refused(payload: bytes, type_name: str) -> None:
    for data in (payload, b"\0\1\0\0" + payload):
        with suppress(BadMessage):
            deserialise(data, type_name)


@given(st.integers(0, 400))
def test_a_cut_image_is_refused(length: int) -> None:
    payload = bytes(serialise(image(np.zeros((20, 20), np.uint8)), IMAGE))
    with pytest.raises(BadMessage):
        deserialise(payload[:length], IMAGE)
