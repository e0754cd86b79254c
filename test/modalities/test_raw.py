"""What players and simulated drivers send decodes, over the wire, to the samples it was made of."""

from __future__ import annotations

import numpy as np
import pytest

from omnibind_ros.messages.stamps import stamp_of
from omnibind_ros.modalities import raw
from omnibind_ros.modalities.audio.pcm import decode_pcm
from omnibind_ros.modalities.event.events import Events
from omnibind_ros.modalities.event.evt3 import Evt3Decoder
from omnibind_ros.modalities.image.encodings import decode_image
from omnibind_ros.modalities.point_cloud.point_fields import decode_points

STAMP = 1_700_000_000_000_000_123
RNG = np.random.default_rng(0)


@pytest.mark.parametrize(
    ("pixels", "encoding"),
    [
        (RNG.integers(0, 256, (5, 7, 3), dtype=np.uint8), "rgb8"),
        (RNG.integers(0, 256, (5, 7), dtype=np.uint8), "mono8"),
        (RNG.integers(0, 65536, (5, 7), dtype=np.uint16), "mono16"),
        (RNG.normal(30, 5, (5, 7)).astype(np.float32), "32FC1"),
        (RNG.integers(0, 256, (10, 14, 3), dtype=np.uint8)[::2, ::2], "rgb8"),
        (RNG.normal(30, 5, (5, 7)).astype(">f4"), "32FC1"),
    ],
)
def test_images(types, over_the_wire, pixels, encoding):
    message = over_the_wire(raw.image(types, pixels, STAMP, "camera"))
    assert message.encoding == encoding
    assert (stamp_of(message), message.header.frame_id) == (STAMP, "camera")
    np.testing.assert_array_equal(decode_image(message), pixels)


@pytest.mark.parametrize("pixels", [np.zeros((2, 2)), np.zeros((2, 2, 4), np.uint8), np.zeros(3, np.uint8)])
def test_what_has_no_encoding_is_refused(types, pixels):
    with pytest.raises(ValueError, match="no image encoding"):
        raw.image(types, pixels, STAMP)


def test_touch_frames_keep_pressure_to_8_bits(types, over_the_wire):
    pressure = RNG.random((16, 16)).astype(np.float32)
    pressure[0, :2] = -1.0, 2.0
    message = over_the_wire(raw.touch_frame(types, pressure, STAMP))
    assert message.encoding == "mono8"
    np.testing.assert_allclose(decode_image(message) / 255, np.clip(pressure, 0, 1), atol=0.5 / 255 + 1e-6)


@pytest.mark.parametrize("count", [0, 1, 30])
def test_point_clouds(types, over_the_wire, count):
    points = RNG.normal(size=(count, 3))
    message = over_the_wire(raw.point_cloud(types, points, STAMP))
    decoded, dropped = decode_points(message)
    np.testing.assert_array_equal(decoded, points.astype(np.float32))
    assert dropped == 0 and message.is_dense is True


def test_point_clouds_say_whether_they_are_dense(types):
    assert raw.point_cloud(types, np.array([[np.nan, 0, 0]]), STAMP).is_dense is False


def test_event_packets(types, over_the_wire):
    t = np.sort(RNG.integers(0, 300_000, 500)) * 1000
    t[0] = 0
    events = Events(
        RNG.integers(0, 34, 500).astype(np.uint16), RNG.integers(0, 34, 500).astype(np.uint16), t,
        RNG.random(500) > 0.5, 34, 34,
    )  # fmt: skip
    decoder = Evt3Decoder()
    for sequence in range(2):
        start = STAMP + sequence * 1_000_000_000
        decoded = decoder.decode(over_the_wire(raw.event_packet(types, events, start, "dvs", sequence)))
        assert (decoded.t - start).tolist() == t.tolist()
        assert (decoded.x.tolist(), decoded.y.tolist()) == (events.x.tolist(), events.y.tolist())
        assert decoded.p.tolist() == events.p.tolist()


def test_audio_chunks(types, over_the_wire):
    samples = np.array([0.0, 0.5, -0.5, 1.0, -1.0, 1.5], np.float32)
    message = over_the_wire(raw.audio_chunk(types, samples, STAMP, "head"))
    assert (stamp_of(message), message.header.frame_id) == (STAMP, "head")
    np.testing.assert_allclose(decode_pcm(message.audio.data, "S16LE", 1), np.clip(samples, -1, 1), atol=1e-4)


def test_text(types, over_the_wire):
    assert over_the_wire(raw.text(types, "drei 三")).data == "drei 三"


def test_the_table_of_types_is_what_is_sent(types):
    sent = {
        "image": raw.image(types, np.zeros((2, 2, 3), np.uint8), STAMP),
        "thermal": raw.image(types, np.zeros((2, 2), np.float32), STAMP),
        "touch": raw.touch_frame(types, np.zeros((2, 2), np.float32), STAMP),
        "point_cloud": raw.point_cloud(types, np.zeros((1, 3)), STAMP),
        "audio": raw.audio_chunk(types, np.zeros(4, np.float32), STAMP),
        "text": raw.text(types, ""),
        "event": raw.event_packet(
            types, Events(*(np.zeros(1, d) for d in ("u2", "u2", "i8", "?")), 2, 2), STAMP
        ),
    }
    assert sent.keys() == raw.RAW_TYPE.keys()
    for modality, message in sent.items():
        assert type(message) is types[raw.RAW_TYPE[modality]], modality
