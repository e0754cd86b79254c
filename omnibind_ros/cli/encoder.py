"""`omnibind encoder`: the process of one sensor."""

from __future__ import annotations

from typing import Annotated

from typer import Option

from omnibind_ros.cli import options
from omnibind_ros.errors import ConfigError
from omnibind_ros.names import nearest
from omnibind_ros.process.signals import stop_on_signals
from omnibind_ros.transport.zenoh.encoder import EncoderProcess


def encoder(
    sensor: Annotated[str, Option(help="Name of the sensor, e.g. front_camera.")],
    modality: Annotated[
        str | None, Option(help="What kind of sensor it is, e.g. image: a modality of the bundle.")
    ] = None,
    topic: Annotated[str | None, Option(help="Where its driver publishes.")] = None,
    message_type: Annotated[
        str | None, Option(help="E.g. sensor_msgs/msg/Image; auto = whatever is published there.  [auto]")
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
    audio_rate: Annotated[
        int | None, Option(help="Samples a second that the microphone delivers.  [16000]")
    ] = None,
    audio_channels: Annotated[int | None, Option(help="Interleaved channels.  [1]")] = None,
    namespace: options.Namespace = None,
    domain: options.Domain = None,
    connect: options.Connect = None,
    listen: options.Listen = None,
    zenoh_config: options.ZenohConfig = None,
) -> None:
    """Embed what one sensor sends: its raw topic in, omnibind/SENSOR/embedding out.

    It waits for the driver, and for whoever wants its embeddings; Ctrl-C or SIGTERM ends it.
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
    config = options.robot_config(
        robot,
        {"bundle": bundle, "namespace": namespace, "encoders": shared, "sensors": {sensor: device}},
    )
    if sensor not in config.sensors:
        hint = nearest(sensor, config.sensors) if config.sensors else "; give --modality and --topic"
        raise ConfigError(f"sensor {sensor!r} is not in {robot or 'any robot file'}{hint}")
    network = options.network(connect, listen, zenoh_config)
    with stop_on_signals() as stop, EncoderProcess(config, sensor, network=network, domain=domain):
        stop.wait()
