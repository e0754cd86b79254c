"""The robot file: the bundle, the sensors and their topics, and the settings of encoders and fusion.

`omnibind up robot.yaml` and `ros2 launch omnibind_ros fusion.launch.py` read the same file. Only a sensor's
`modality` and `topic` are required; `config/robot.yaml` is an example with comments.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, Strict, model_validator

from omnibind_ros.config.parameters import Settings
from omnibind_ros.config.strict_yaml import StrictModel, load_yaml
from omnibind_ros.errors import ConfigError
from omnibind_ros.modalities.registry import definitions, names
from omnibind_ros.names import check_sensor_name, nearest
from omnibind_ros.types import Modality

_TOKEN = r"[A-Za-z_][A-Za-z0-9_]*"


def _sensor_name(name: str) -> str:
    try:
        return check_sensor_name(name)
    except ConfigError as error:
        raise ValueError(str(error)) from error


def _topic(name: str) -> str:
    if not re.fullmatch(rf"(~/|/)?{_TOKEN}(/{_TOKEN})*", name):
        raise ValueError(f"{name!r} is not a topic name; use e.g. front_camera/image_raw")
    return name


def _namespace(name: str) -> str:
    if name not in ("", "/") and not re.fullmatch(rf"/?{_TOKEN}(/{_TOKEN})*", name):
        raise ValueError(f"{name!r} is not a namespace; use e.g. robot1, or '' for none")
    return name.strip("/")


def _message_type(name: str) -> str:
    if name != "auto" and not re.fullmatch(rf"{_TOKEN}/msg/{_TOKEN}", name):
        raise ValueError(f"{name!r} is not a message type; use e.g. sensor_msgs/msg/Image, or auto")
    return name


SensorName = Annotated[str, AfterValidator(_sensor_name)]
SensorNames = Annotated[tuple[SensorName, ...], Strict(False)]
Positive = Annotated[float, Field(gt=0)]
PositiveOrEndless = Annotated[float, Field(gt=0, allow_inf_nan=True)]
Probability = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]


class AudioOptions(Settings):
    """The encoding of audio messages, which do not contain it."""

    sample_format: Literal["S16LE", "S32LE", "F32LE"] = "S16LE"
    """encoding of one sample, little-endian"""
    rate: Annotated[int, Field(ge=1000, le=768_000)] = 16000
    """samples per second and channel"""
    channels: Annotated[int, Field(ge=1, le=64)] = 1
    """number of interleaved channels, which are averaged"""


class SensorInput(Settings):
    """The modality of a sensor and the source of its messages."""

    modality: Modality
    """a built-in modality, or one that the bundle defines"""
    topic: Annotated[str, AfterValidator(_topic)]
    """topic of its driver, relative to the namespace unless it starts with '/'"""
    message_type: Annotated[str, AfterValidator(_message_type)] = "auto"
    """e.g. sensor_msgs/msg/CompressedImage; auto = any supported type that is published there"""
    frame_id: str | None = None
    """coordinate frame of its embeddings; null = that of the messages"""
    queue_s: Positive = 2.0
    """seconds of messages that a stream (audio, event, touch, ...) may queue before the oldest are dropped"""
    queue_mb: Positive = 64.0
    """megabytes of messages that a stream may queue before the oldest are dropped"""
    queue_depth: Count | None = None
    """messages that a stream may queue before the oldest are dropped; null = no such limit"""
    audio: AudioOptions | None = None

    @model_validator(mode="after")
    def _options_fit_the_modality(self) -> SensorInput:
        if self.audio is not None and self.modality != "audio" and self.modality in names():
            raise ValueError(
                f"'audio' options do not fit a sensor of modality {self.modality!r}; remove them"
            )
        return self

    @property
    def options(self) -> dict[str, Any]:
        """The encoding of this device's messages, as keywords of the modality's preprocessor."""
        return self.audio.model_dump() if self.audio else {}


class SensorConfig(SensorInput):
    """One sensor, and whether its encoder process is restarted."""

    respawn: bool = True
    """restart its encoder when the process ends"""
    respawn_delay_s: Positive = 1.0
    """delay before a restart"""


def _with_min_timeouts(own: dict[Modality, float]) -> dict[Modality, float]:
    usual = {one.name: one.min_timeout_s for one in definitions() if one.min_timeout_s is not None}
    return {**usual, **own}


def _with_holds(own: dict[Modality, float]) -> dict[Modality, float]:
    return {**{one.name: one.hold_s for one in definitions() if one.hold_s is not None}, **own}


MinTimeouts = Annotated[dict[Modality, Positive], AfterValidator(_with_min_timeouts)]
Holds = Annotated[dict[Modality, PositiveOrEndless], AfterValidator(_with_holds)]


class Freshness(Settings):
    """When an embedding is too old, and a sensor stuck or lost. All in seconds."""

    min_timeout_s: Positive = 0.5
    """a sensor is live at least this long after an embedding, and a driver silent for this long is gone"""
    min_timeout_by_modality: MinTimeouts = Field(default_factory=dict, validate_default=True)
    """the same for modalities with long windows; what is not given keeps its default"""
    periods: Annotated[float, Field(ge=1)] = 3.0
    """a slow sensor is live, and a slow driver there, for this many of its measured periods"""
    hold_s: Holds = Field(default_factory=dict, validate_default=True)
    """modalities that stay live for this long instead, with or without a driver, and may repeat themselves"""
    stuck_after_s: PositiveOrEndless = 5.0
    """a sensor whose embeddings hardly change for this long, while the scene does, is stuck"""
    lost_after_s: PositiveOrEndless = 10.0
    """a sensor silent for this long beyond its time-out is lost"""
    max_back_jump_s: Positive = 1.0
    """a stamp further back than this starts the sensor afresh (a looping bag); less is a fault"""
    future_tolerance_s: Positive = 0.1
    """stamps may be ahead of fusion's clock by this much"""
    max_delay_s: Positive = 10.0
    """stamps that keep arriving later than this show another clock, not a delay"""


class MemoryConfig(Settings):
    """How fast the world changes and sensors fail."""

    scene_change_hz: Positive = 0.15
    """how often the scene changes, per second: the higher, the sooner a newer sample outweighs older ones"""
    noise_share: Annotated[float, Field(gt=0, le=0.5)] = 0.01
    """share of a healthy sensor's samples that show nothing of the scene"""
    health_forget_s: Positive = 60.0
    """seconds after which agreement with the other sensors counts 1/e"""
    faulty_after_s: Positive = 3.0
    """a sensor that has been unhealthy for this long is faulty, and not fused"""
    probation_s: Positive = 10.0
    """a faulty sensor that has been healthy for this long is fused again"""


class FusionConfig(Settings):
    """What fusion publishes, how often, and without which sensors."""

    rate_hz: Annotated[float, Field(gt=0, le=1000)] = 10.0
    """minimum rate of recognitions, also when nothing changes"""
    max_rate_hz: Annotated[float, Field(gt=0, le=1000)] = 50.0
    """maximum average rate of recognitions that new embeddings cause"""
    top_k: Count = 3
    """number of labels in a recognition"""
    unknown_threshold: Probability | None = None
    """below this probability the answer is `unknown`; null = the bundle's calibrated threshold"""
    frame_id: str = "base_link"
    """`header.frame_id` of recognitions"""
    muted_sensors: SensorNames = ()
    """sensors to leave out"""
    threads: Count = 1
    """threads of the fusion engine"""
    freshness: Freshness = Freshness()
    memory: MemoryConfig = MemoryConfig()

    @model_validator(mode="after")
    def _rates_in_order(self) -> FusionConfig:
        if self.max_rate_hz < self.rate_hz:
            raise ValueError(f"max_rate_hz {self.max_rate_hz:g} is below rate_hz {self.rate_hz:g}; raise it")
        return self


class EncodersConfig(Settings):
    """Settings of all sensor encoders."""

    backend: Literal["auto", "onnxruntime", "tensorrt"] = "auto"
    """inference backend; auto = the fastest one available"""
    precision: str | None = None
    """e.g. fp32, fp16, int8; null = the bundle's default for each encoder"""
    threads: Count = 1
    """inference threads per encoder; with 1, six encoders share two cores"""
    provider: Literal["auto", "cpu", "cuda", "tensorrt"] = "auto"
    """execution provider of ONNX Runtime; auto = CUDA if available, else the CPU"""
    build: Literal["background", "never"] = "background"
    """if a TensorRT plan is missing: build it in the background while ONNX Runtime runs, or never"""
    workspace_mb: Count = 512
    """workspace limit of a TensorRT kernel, in MiB; lower it on small boards"""
    dla_core: Annotated[int, Field(ge=0)] | None = None
    """DLA core of an Orin, with GPU fallback; fp16 only; null = GPU only"""
    max_stamp_skew_s: Positive = 10.0
    """samples whose stamps differ from the current time by more than this get the time of receipt instead"""

    @property
    def engine(self) -> dict[str, Any]:
        """The part about inference, as keywords of `EngineOptions`."""
        return self.model_dump(include=EncodersConfig.model_fields.keys() - {"max_stamp_skew_s"})


class RobotConfig(StrictModel):
    """A robot: its bundle, its sensors, and the settings of encoders and fusion."""

    bundle: str = "digits"
    """name of an installed bundle, or the path of its folder, relative to the folder of this file"""
    namespace: Annotated[str, AfterValidator(_namespace)] = ""
    """ROS namespace of all nodes and relative topics, without leading or trailing slashes"""
    fusion: FusionConfig = FusionConfig()
    encoders: EncodersConfig = EncodersConfig()
    sensors: dict[SensorName, SensorConfig] = Field(default_factory=dict)


def load_robot(path: str | Path) -> RobotConfig:
    """Read a robot file.

    Raises:
        ConfigError: one line that names file, line, key, and the nearest valid name.
    """
    robot = load_yaml(path, RobotConfig)
    if "/" not in robot.bundle:
        return robot
    return robot.model_copy(update={"bundle": str(Path(path).parent / Path(robot.bundle).expanduser())})


def check_modalities(robot: RobotConfig, available: Collection[Modality], bundle: str) -> None:
    """Check that the bundle has an encoder for each sensor.

    Args:
        available: modalities of the bundle.
        bundle: its name, for the error message.

    Raises:
        ConfigError: names the sensor and the nearest modality.
    """
    for name, sensor in robot.sensors.items():
        if sensor.modality not in available:
            raise ConfigError(
                f"sensors.{name}.modality: bundle {bundle!r} has no encoder for {sensor.modality!r}"
                f"{nearest(sensor.modality, available)}"
            )
