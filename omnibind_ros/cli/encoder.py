"""`omnibind encoder`: the process of one sensor."""

from __future__ import annotations

from typing import Annotated

from typer import Option

from omnibind_ros.cli import options
from omnibind_ros.cli.serving import serve
from omnibind_ros.config.robot import RobotConfig
from omnibind_ros.config.settings import EncoderSettings
from omnibind_ros.encoder.process import EncoderProcess
from omnibind_ros.errors import ConfigError
from omnibind_ros.names import nearest


def encoder(
    sensor: Annotated[
        list[str],
        Option(help="Name of the sensor, e.g. front_camera. Given several times, one process encodes all."),
    ],
    modality: Annotated[
        str | None, Option(help="What kind of sensor it is, e.g. image: a modality of the bundle.")
    ] = None,
    topic: Annotated[str | None, Option(help="Topic of its driver.")] = None,
    message_type: Annotated[
        str | None, Option(help="E.g. sensor_msgs/msg/Image; auto = whatever its driver publishes.  [auto]")
    ] = None,
    robot: options.RobotFile = None,
    bundle: options.BundleName = None,
    backend: Annotated[str | None, Option(help="auto, onnxruntime or tensorrt.  [auto]")] = None,
    precision: Annotated[str | None, Option(help="E.g. fp32, int8.  [the bundle's default]")] = None,
    threads: Annotated[int | None, Option(help="Inference threads.  [1]")] = None,
    frame_id: Annotated[
        str | None, Option(help="Coordinate frame, if the messages' own is not wanted.")
    ] = None,
    audio_format: Annotated[str | None, Option(help="S16LE, S32LE or F32LE.  [S16LE]")] = None,
    audio_rate: Annotated[int | None, Option(help="Samples a second of the microphone.  [16000]")] = None,
    audio_channels: Annotated[int | None, Option(help="Interleaved channels.  [1]")] = None,
    namespace: options.Namespace = None,
    domain: options.Domain = None,
    connect: options.Connect = None,
    listen: options.Listen = None,
    zenoh_config: options.ZenohConfig = None,
) -> None:
    """Encode the messages of a sensor: its driver's topic in, omnibind/SENSOR/embedding out.

    The driver may start later. Ctrl-C or SIGTERM ends it; SIGHUP reads the robot file anew.
    """
    audio = {"sample_format": audio_format, "rate": audio_rate, "channels": audio_channels}
    device = {
        "modality": modality,
        "topic": topic,
        "message_type": message_type,
        "frame_id": frame_id,
        "audio": audio,
    }
    shared = {"backend": backend, "precision": precision, "threads": threads}
    if len(sensor) > 1 and (modality or topic or message_type):
        raise ConfigError(
            "--modality, --topic and --message-type describe one sensor; list several in a robot file"
        )

    def config() -> RobotConfig:
        own = {sensor[0]: device} if len(sensor) == 1 else {}
        return options.robot_config(
            robot, {"bundle": bundle, "namespace": namespace, "encoders": shared, "sensors": own}
        )

    first = config()
    for name in sensor:
        if name not in first.sensors:
            hint = nearest(name, first.sensors) if first.sensors else "; give --modality and --topic"
            raise ConfigError(f"sensor {name!r} is not in {robot or 'any robot file'}{hint}")
    serve(
        lambda node: [EncoderProcess(EncoderSettings.of(first, name), node) for name in sensor],
        f"encoder_{sensor[0]}" if len(sensor) == 1 else "encoders",
        first.namespace,
        domain,
        options.zenoh_network(connect, listen, zenoh_config),
        lambda process: EncoderSettings.of(config(), process.settings.sensor),
    )
