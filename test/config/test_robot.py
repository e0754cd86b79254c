from __future__ import annotations

import math
from pathlib import Path

import pytest

from omnibind_ros.config.robot import RobotConfig, check_modalities, load_robot
from omnibind_ros.errors import ConfigError
from omnibind_ros.modalities.registry import ORDER

SHIPPED = Path(__file__).parents[2] / "config" / "robot.yaml"


def robot(tmp_path: Path, text: str) -> RobotConfig:
    path = tmp_path / "robot.yaml"
    path.write_text(text)
    return load_robot(path)


def test_the_shipped_file_has_a_sensor_of_each_modality():
    shipped = load_robot(SHIPPED)
    assert sorted(sensor.modality for sensor in shipped.sensors.values()) == sorted(ORDER)
    check_modalities(shipped, ORDER, "digits")


def test_the_shipped_file_shows_the_defaults():
    shipped, default = load_robot(SHIPPED), RobotConfig()
    assert shipped.encoders == default.encoders
    assert shipped.fusion == default.fusion


def test_an_empty_file_is_a_robot_without_listed_sensors(tmp_path):
    assert robot(tmp_path, "") == RobotConfig()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("fusion:\n  rate_hx: 3\n", "line 2: fusion.rate_hx: unknown key; did you mean 'rate_hz'?"),
        (
            "encoders: {backend: tensort}",
            "line 1: encoders.backend: 'tensort' is not valid; did you mean 'tensorrt'?",
        ),
        ("fusion: {top_k: 0}", "line 1: fusion.top_k: should be greater than or equal to 1, not 0"),
        ("fusion: {rate_hz: 60}", "line 1: fusion: max_rate_hz 50 is below rate_hz 60; raise it"),
        ("fusion:\n  muted_sensors: mic", "line 2: fusion.muted_sensors: should be a list"),
        ("namespace: my robot", "line 1: namespace: 'my robot' is not a namespace"),
        (
            "sensors:\n  Cam:\n    {modality: image, topic: a}",
            "line 2: sensors.Cam: sensor name 'Cam' cannot",
        ),
        ("sensors:\n  cam:\n    modality: image\n", "line 2: sensors.cam.topic: this key is missing"),
        (
            "sensors:\n  cam:\n    modality: image\n    topic: a b",
            "line 4: sensors.cam.topic: 'a b' is not a topic",
        ),
        (
            "sensors:\n  cam:\n    {modality: image, topic: a, message_type: Image}",
            "line 3: sensors.cam.message_type: 'Image' is not a message type; use e.g. sensor_msgs/msg/Image",
        ),
        (
            "sensors:\n  cam:\n    {modality: image, topic: a, audio: {}}",
            "line 2: sensors.cam: 'audio' options do not fit a sensor of modality 'image'",
        ),
        (
            "sensors:\n  mic:\n    modality: audio\n    topic: a\n    audio:\n      sample_format: S16\n",
            "line 6: sensors.mic.audio.sample_format: 'S16' is not valid; did you mean 'S16LE'?",
        ),
    ],
)
def test_a_typo_names_line_key_and_the_nearest_valid_name(tmp_path, text, expected):
    with pytest.raises(ConfigError) as caught:
        robot(tmp_path, text)
    assert f"robot.yaml, {expected}" in str(caught.value)


def test_a_modality_is_checked_against_the_bundle(tmp_path):
    config = robot(tmp_path, "sensors: {gas: {modality: smell, topic: a}, mic: {modality: audoi, topic: b}}")
    with pytest.raises(
        ConfigError, match=r"sensors\.mic\.modality: bundle 'mine' .*; did you mean 'audio'\?"
    ):
        check_modalities(config, ["audio", "smell"], "mine")


def test_the_queue_of_a_stream_is_limited_by_time_and_size_and_on_request_by_number(tmp_path):
    sensors = robot(
        tmp_path,
        "sensors:\n"
        "  mic: {modality: audio, topic: a}\n"
        "  dvs: {modality: event, topic: b, queue_s: 0.5, queue_mb: 8, queue_depth: 200}\n",
    ).sensors
    limits = {name: (s.queue_s, s.queue_mb, s.queue_depth) for name, s in sensors.items()}
    assert limits == {"mic": (2.0, 64.0, None), "dvs": (0.5, 8.0, 200)}
    for wrong in ("queue_s: 0", "queue_mb: -1", "queue_depth: 0", "queue_s: .inf"):
        with pytest.raises(ConfigError, match=rf"sensors\.mic\.{wrong.partition(':')[0]}: should be "):
            robot(tmp_path, f"sensors: {{mic: {{modality: audio, topic: a, {wrong}}}}}")


def test_audio_options_become_keywords_of_the_preprocessor(tmp_path):
    sensors = robot(
        tmp_path,
        "sensors: {mic: {modality: audio, topic: a, audio: {rate: 8000}}, cam: {modality: image, topic: b}}",
    ).sensors
    assert sensors["mic"].options == {"sample_format": "S16LE", "rate": 8000, "channels": 1}
    assert sensors["cam"].options == {}


def test_a_relative_bundle_path_starts_at_the_file(tmp_path):
    assert robot(tmp_path, "bundle: ../engines/mine").bundle == str(tmp_path / "../engines/mine")
    assert robot(tmp_path, "bundle: /engines/mine").bundle == "/engines/mine"
    assert robot(tmp_path, "bundle: mine").bundle == "mine"


def test_exceptions_for_a_modality_add_to_the_default_ones(tmp_path):
    freshness = robot(
        tmp_path, "fusion: {freshness: {hold_s: {thermal: 9}, min_timeout_by_modality: {audio: 2}}}"
    ).fusion.freshness
    assert freshness.hold_s == {"text": 30.0, "thermal": 9.0}
    assert freshness.min_timeout_by_modality == {"audio": 2.0, "touch": 4.0}


@pytest.mark.parametrize(
    ("wrong", "key"),
    [
        ("min_timeout_s: 0", "min_timeout_s"),
        ("periods: -1", "periods"),
        ("hold_s: {text: 0}", "hold_s"),
        ("min_timeout_by_modality: {audio: .nan}", "min_timeout_by_modality"),
    ],
)
def test_times_of_freshness_are_positive(tmp_path, wrong, key):
    with pytest.raises(ConfigError, match=f"fusion.freshness.{key}"):
        robot(tmp_path, f"fusion: {{freshness: {{{wrong}}}}}")


def test_text_is_held_for_half_a_minute_unless_configured(tmp_path):
    assert robot(tmp_path, "").fusion.freshness.hold_s == {"text": 30.0}
    held = robot(tmp_path, "fusion: {freshness: {hold_s: {text: .inf}}}").fusion.freshness.hold_s
    assert held == {"text": math.inf}
