"""What is played decodes, after CDR, to the samples that it was made of."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from omnibind_ros.config.robot import AudioOptions
from omnibind_ros.host.data.scene import Scene
from omnibind_ros.messages.cdr import deserialise, serialise
from omnibind_ros.messages.stamps import stamp_of
from omnibind_ros.modalities.audio.messages import DEVICE_RATE, RECORDED_RATE, audio_message
from omnibind_ros.modalities.audio.pcm import decode_pcm
from omnibind_ros.modalities.audio.preprocessing import AudioFormat
from omnibind_ros.modalities.event.events import Events
from omnibind_ros.modalities.event.evt3 import Evt3Decoder
from omnibind_ros.modalities.event.messages import event_message
from omnibind_ros.modalities.image.encodings import decode_image
from omnibind_ros.modalities.image.messages import image_message
from omnibind_ros.modalities.point_cloud.messages import cloud_message
from omnibind_ros.modalities.point_cloud.point_fields import decode_points
from omnibind_ros.modalities.registry import definition, having, make_preprocessor
from omnibind_ros.modalities.text.messages import text_message
from omnibind_ros.modalities.touch.messages import touch_message

STAMP = 1_700_000_000_000_000_123
RNG = np.random.default_rng(0)


def sent(message: Any) -> Any:
    """The message after serialisation and back."""
    return deserialise(bytes(serialise(message, message.__msgtype__)), message.__msgtype__)


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
def test_images(pixels, encoding):
    message = sent(image_message(pixels, STAMP, "camera"))
    assert message.encoding == encoding
    assert (stamp_of(message), message.header.frame_id) == (STAMP, "camera")
    np.testing.assert_array_equal(decode_image(message), pixels)


@pytest.mark.parametrize("pixels", [np.zeros((2, 2)), np.zeros((2, 2, 4), np.uint8), np.zeros(3, np.uint8)])
def test_what_has_no_encoding_is_refused(pixels):
    with pytest.raises(ValueError, match="no image encoding"):
        image_message(pixels, STAMP)


def test_touch_frames_keep_pressure_to_8_bits():
    pressure = RNG.random((16, 16)).astype(np.float32)
    pressure[0, :2] = -1.0, 2.0
    message = sent(touch_message(pressure, STAMP))
    assert message.encoding == "mono8"
    np.testing.assert_allclose(decode_image(message) / 255, np.clip(pressure, 0, 1), atol=0.5 / 255 + 1e-6)


@pytest.mark.parametrize("count", [0, 1, 30])
def test_point_clouds(count):
    points = RNG.normal(size=(count, 3))
    message = sent(cloud_message(points, STAMP))
    decoded, dropped = decode_points(message)
    np.testing.assert_array_equal(decoded, points.astype(np.float32))
    assert dropped == 0 and message.is_dense is True


def test_point_clouds_say_whether_they_are_dense():
    assert cloud_message(np.array([[np.nan, 0, 0]]), STAMP).is_dense is False


def test_event_packets():
    t = np.sort(RNG.integers(0, 300_000, 500)) * 1000
    t[0] = 0
    events = Events(
        RNG.integers(0, 34, 500).astype(np.uint16), RNG.integers(0, 34, 500).astype(np.uint16), t,
        RNG.random(500) > 0.5, 34, 34,
    )  # fmt: skip
    decoder = Evt3Decoder()
    for sequence in range(2):
        start = STAMP + sequence * 1_000_000_000
        decoded = decoder.decode(sent(event_message(events, start, "dvs", sequence)))
        assert (decoded.t - start).tolist() == t.tolist()
        assert (decoded.x.tolist(), decoded.y.tolist()) == (events.x.tolist(), events.y.tolist())
        assert decoded.p.tolist() == events.p.tolist()


def test_audio_chunks():
    samples = np.array([0.0, 0.5, -0.5, 1.0, -1.0, 1.5], np.float32)
    message = sent(audio_message(samples, STAMP, "head"))
    assert (stamp_of(message), message.header.frame_id) == (STAMP, "head")
    np.testing.assert_allclose(decode_pcm(message.audio.data, "S16LE", 1), np.clip(samples, -1, 1), atol=1e-4)


def test_text():
    assert sent(text_message("drei 三")).data == "drei 三"


@pytest.mark.parametrize("modality", having("frames"))
def test_every_frame_is_of_the_declared_type_and_the_modality_reads_it(modality: str):
    known, samples = definition(modality), [Scene(4).sample(modality)]
    frames = list(known.frames.load()(samples, np.random.default_rng(0)))
    messages = [frame.message(STAMP, STAMP + round(frame.duration_s * 1e9)) for frame in frames]
    assert {message.__msgtype__ for message in messages} == {known.publishes}
    assert known.publishes in known.reads
    adaptor = make_preprocessor(modality)
    for message in messages:
        adaptor.feed(sent(message))


def test_a_microphone_is_played_as_an_encoder_expects_it():
    assert AudioOptions().rate == DEVICE_RATE
    assert AudioFormat().rate == RECORDED_RATE
