from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from encoding import encode_raw

from omnibind_ros.bundle.loading import Bundle
from omnibind_ros.config.robot import EncodersConfig
from omnibind_ros.encoder.sensor_encoder import SensorEncoder
from omnibind_ros.engines.engine import EngineOptions
from omnibind_ros.errors import BadMessage, BundleError, ConfigError
from omnibind_ros.modalities.preprocessor import Sample

NOW = 1_700_000_000_000_000_000
SECOND = 1_000_000_000


class FakeAdaptor:
    """A message is the list of samples it completes, or an exception."""

    stream = True
    input_shape = (1, 4)
    lost_messages = 0
    stamp_fault = ""
    resets = 0

    def feed(self, message: Any, received: int = 0) -> list[Sample]:
        if isinstance(message, Exception):
            raise message
        return list(message)

    def reset(self) -> None:
        self.resets += 1


def sample(value: float = 1.0, stamp: int = NOW, quality: float = 1.0, reason: str = "") -> Sample:
    data = np.array([[value, 1, 0, 0]], np.float32)
    return Sample(data, stamp, "camera_optical", quality, reason)


@pytest.fixture
def bundle(bundle_folder):
    return Bundle.load(bundle_folder)


@pytest.fixture
def encoder(bundle):
    return SensorEncoder(bundle, "cam", "image", adaptor=FakeAdaptor(), engine=bundle.load_encoder("image"))


def test_samples_become_embeddings_of_the_bundles_space(bundle, encoder, tiny):
    first, second = encoder.feed([sample(1.0), sample(2.0, quality=0.5)], NOW)
    for embedding in (first, second):
        embedding.check(bundle.space)
        assert (embedding.sensor, embedding.modality, embedding.frame_id) == (
            "cam",
            "image",
            "camera_optical",
        )
        assert embedding.vector.shape == (tiny.dim,)
    assert (first.quality, second.quality) == (1.0, 0.5)
    assert not np.allclose(first.vector, second.vector), "embeddings must not share the engine's buffer"
    assert first.evidence != second.evidence
    assert encoder.counters.embeddings == 2


def test_an_empty_sample_gives_no_embedding_and_is_counted_with_its_reason(encoder):
    assert encoder.feed([sample(quality=0.0, reason="picture is black")], NOW) == []
    assert (encoder.counters.empty, encoder.counters.empty_reason) == (1, "picture is black")


def test_a_bad_message_is_counted_with_its_reason(encoder):
    with pytest.raises(BadMessage):
        encoder.feed(BadMessage("cut short"), NOW)
    assert (encoder.counters.rejected, encoder.counters.rejected_reason) == (1, "cut short")
    assert encoder.counters.messages == 0


@pytest.mark.parametrize(
    ("stamp", "used", "offset_s"),
    [
        (NOW - 2 * SECOND, NOW - 2 * SECOND, None),
        (NOW + 2 * SECOND, NOW + 2 * SECOND, None),
        (NOW - 60 * SECOND, NOW, -60.0),
        (NOW + 60 * SECOND, NOW, 60.0),
        (5 * SECOND, NOW, (5 * SECOND - NOW) / 1e9),
        (0, NOW, None),
    ],
)
def test_unusable_stamps_are_replaced_and_the_offset_told(encoder, stamp, used, offset_s):
    (embedding,) = encoder.feed([sample(stamp=stamp)], NOW)
    assert embedding.stamp == used
    assert encoder.counters.stamp_offset_s == offset_s


def test_a_given_frame_replaces_the_messages_own(bundle):
    engine = bundle.load_encoder("image")
    encoder = SensorEncoder(bundle, "cam", "image", adaptor=FakeAdaptor(), engine=engine, frame_id="mast")
    assert encoder.feed([sample()], NOW)[0].frame_id == "mast"


def test_times_are_measured(encoder):
    for _ in range(3):
        encoder.feed([sample()], NOW)
    assert 0 < encoder.counters.decode_ms < 1000
    assert 0 < encoder.counters.encode_ms < 1000


def test_a_restart_resets_streams_and_counts_what_was_lost(encoder):
    encoder.restart(lost=3)
    assert (encoder.counters.gaps, encoder.adaptor.resets) == (3, 1)
    encoder.adaptor.stream = False
    encoder.restart()
    assert encoder.adaptor.resets == 1


def test_what_messages_reveal_of_losses_and_stamps_is_counted(encoder):
    encoder.restart(lost=3)
    encoder.feed([sample()], NOW)
    encoder.adaptor.lost_messages, encoder.adaptor.stamp_fault = 0, "stamps stand still"
    real_feed = encoder.adaptor.feed

    def losing_feed(message: Any, received: int) -> list[Sample]:
        encoder.adaptor.lost_messages += 2
        return real_feed(message, received)

    encoder.adaptor.feed = losing_feed
    encoder.feed([sample()], NOW)
    with pytest.raises(BadMessage):
        encoder.feed(BadMessage("cut short"), NOW)
    assert (encoder.counters.gaps, encoder.counters.stamp_fault) == (7, "stamps stand still")


def test_a_model_that_does_not_fit_the_preprocessing_is_refused(bundle):
    misfit = SimpleNamespace(input_shape=(1, 5), stream=False)
    with pytest.raises(BundleError, match=r"preprocessing of 'image' makes \[1, 5\], its model takes signal"):
        SensorEncoder(bundle, "cam", "image", adaptor=misfit, engine=bundle.load_encoder("image"))


def test_a_sensor_name_must_fit_a_topic(bundle):
    with pytest.raises(ConfigError, match="'front camera' cannot stand in a topic"):
        SensorEncoder(
            bundle, "front camera", "image", adaptor=FakeAdaptor(), engine=bundle.load_encoder("image")
        )


def test_the_engine_settings_of_a_robot_file_are_engine_options_with_the_same_defaults():
    # A robot builds plans in the background, a library does not.
    assert EngineOptions(**EncodersConfig().engine) == EngineOptions(build="background")


def test_a_robots_encoder_goes_over_to_tensorrt(robot):
    bundle = Bundle.load("digits")
    options = EngineOptions(**EncodersConfig(precision="fp32").engine)
    encoder = SensorEncoder.open(bundle, "keyboard", "text", engine=options)
    before = encode_raw(encoder, "a seven")
    assert encoder.engine.backend.startswith("onnxruntime")
    end = time.monotonic() + 60
    while encoder.plan_status != "built":
        assert time.monotonic() < end, encoder.plan_status
        time.sleep(0.01)
    after = encode_raw(encoder, "a seven")
    assert encoder.engine.backend == "tensorrt 10.3.0 Orin"
    np.testing.assert_allclose(after.vector, before.vector, atol=1e-6)
    encoder.close()
    assert not robot.gpu.memory


def test_opening_checks_preprocessing_against_the_modality(bundle):
    with pytest.raises((BundleError, ConfigError), match="preprocessing of 'image'"):
        SensorEncoder.open(bundle, "cam", "image", engine=EngineOptions("onnxruntime"))
