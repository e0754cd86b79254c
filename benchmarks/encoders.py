"""What does one sample cost on the robot? Decoding and preprocessing against inference, on one core.

    python benchmarks/encoders.py [--bundle engines/digits] [--repeat 200] [--only image] [--markdown]

Messages are those that real drivers send, small and large. A sample of a stream is made of many messages: the
cost of all that arrive in one hop is its decoding. Every number is the minimum over the repetitions (of a
stream: the mean over its samples of their minima), so that other work on the machine hardly shows.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

from collections.abc import Callable
from time import perf_counter
from typing import Annotated, Any, NamedTuple

import cv2
import numpy as np
import typer

from omnibind_ros.bundle.loading import Bundle
from omnibind_ros.encoder.sensor_encoder import SensorEncoder
from omnibind_ros.host.data.scene import Scene
from omnibind_ros.messages.cdr import message_class
from omnibind_ros.messages.stamps import make_header
from omnibind_ros.modalities.audio.messages import audio_message
from omnibind_ros.modalities.event.events import Events
from omnibind_ros.modalities.event.messages import event_message
from omnibind_ros.modalities.image.messages import image_message
from omnibind_ros.modalities.point_cloud.messages import cloud_message
from omnibind_ros.modalities.text.messages import text_message
from omnibind_ros.modalities.touch.messages import touch_message

cv2.setNumThreads(1)  # OpenCV would spread a resize over all cores

START = 1_700_000_000_000_000_000
MS = 1_000_000
RNG = np.random.default_rng(0)


def picture(scene: Scene, width: int, height: int) -> Any:
    """uint8 [H,W,3]: the digit in the centre square, with the noise of a camera."""
    square = cv2.resize(scene.sample("image"), (height, height), interpolation=cv2.INTER_CUBIC)
    left = (width - height) // 2
    whole = cv2.copyMakeBorder(square, 0, 0, left, width - height - left, cv2.BORDER_REPLICATE)
    return np.clip(whole + RNG.normal(0, 3, (height, width, 1)), 0, 255).astype(np.uint8)


def camera(width: int, height: int, encoding: str) -> Callable[[Scene], list[Any]]:
    convert = {"bgr8": cv2.COLOR_RGB2BGR, "yuyv": cv2.COLOR_RGB2YUV_YUY2}

    def messages(scene: Scene) -> list[Any]:
        pixels = picture(scene, width, height)
        message = image_message(pixels, START, "camera")
        if encoding in convert:
            pixels = cv2.cvtColor(pixels, convert[encoding])
            message.encoding, message.step, message.data = encoding, pixels.strides[0], pixels.reshape(-1)
        return [message]

    return messages


def jpeg_camera(scene: Scene) -> list[Any]:
    data = cv2.imencode(".jpg", picture(scene, 1920, 1080)[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 90])[1]
    compressed = message_class("sensor_msgs/msg/CompressedImage")
    header = make_header(START, "camera")
    return [compressed(header=header, format="rgb8; jpeg compressed bgr8", data=data.reshape(-1))]


def thermal(scene: Scene) -> list[Any]:
    pixels = cv2.resize(scene.sample("thermal").astype(np.float32), (160, 120))
    return [image_message(pixels, START, "thermal")]


def cloud(scene: Scene) -> list[Any]:
    points = scene.sample("point_cloud")
    many = np.repeat(points, 2000 // len(points) + 1, axis=0)[:2000]
    return [cloud_message(many + RNG.normal(0, 1e-3, many.shape).astype(np.float32), START, "depth")]


def depth_camera(scene: Scene) -> list[Any]:
    """640x480 organised points of 16 bytes, half of them NaN."""
    stroke = scene.sample("point_cloud")
    points = np.zeros((480 * 640, 4), np.float32)
    points[:, :3] = stroke[RNG.integers(0, len(stroke), len(points))] + RNG.normal(0, 1e-3, (len(points), 3))
    points[RNG.random(len(points)) < 0.5, :3] = np.nan
    message = cloud_message(points[:1, :3], START, "depth")
    message.height, message.width, message.point_step, message.row_step = 480, 640, 16, 640 * 16
    message.data = points.reshape(-1).view(np.uint8)
    return [message]


def text(scene: Scene) -> list[Any]:
    return [text_message(scene.sample("text"))]


def sound(scene: Scene) -> list[Any]:
    """Three seconds of words and pauses at 16 kHz in chunks of 50 ms."""
    word = np.repeat(scene.sample("audio"), 2)
    pause = (RNG.standard_normal(9600) * 2e-4).astype(np.float32)
    stream = np.concatenate([pause, word, pause, word, pause, word, pause])
    return [
        audio_message(stream[i : i + 800], START + i * 62_500, "mic")
        for i in range(0, len(stream) - 800, 800)
    ]


def events(packet: int) -> Callable[[Scene], list[Any]]:
    """Three recordings end to end in packets of so many ns."""

    def messages(scene: Scene) -> list[Any]:
        burst = scene.sample("event")
        stream = Events.concatenate([burst.shifted(i * 330 * MS) for i in range(3)])
        packets = []
        for number, begin in enumerate(range(0, int(stream.t[-1]), packet)):
            part = stream.between(begin, begin + packet)
            first = int(part.t[0]) if len(part) else begin
            packets.append(event_message(part.shifted(START), START + first, "dvs", number))
        return packets

    return messages


def skin(scene: Scene) -> list[Any]:
    """Two strokes with rests between them, 120 frames a second."""
    stroke, rest = scene.sample("touch"), np.zeros((96, 16, 16), np.float32)
    frames = np.concatenate([rest, stroke, rest, stroke, rest])
    return [touch_message(f, START + i * 8_333_333, "skin") for i, f in enumerate(frames)]


class Case(NamedTuple):
    """Messages of one device."""

    modality: str
    device: str
    messages: Callable[[Scene], list[Any]]


CASES = [
    Case("audio", "5 chunks of 50 ms, 16 kHz S16LE", sound),
    Case("image", "640x480 rgb8", camera(640, 480, "rgb8")),
    Case("image", "1920x1080 rgb8", camera(1920, 1080, "rgb8")),
    Case("image", "1920x1080 bgr8", camera(1920, 1080, "bgr8")),
    Case("image", "1920x1080 yuyv", camera(1920, 1080, "yuyv")),
    Case("image", "1920x1080 JPEG", jpeg_camera),
    Case("event", "10 packets of 10 ms, about 1,300 events", events(10 * MS)),
    Case("event", "100 packets of 1 ms, about 1,300 events", events(MS)),
    Case("touch", "30 frames, 16x16 mono8", skin),
    Case("point_cloud", "2,000 points", cloud),
    Case("point_cloud", "640x480 organised, half NaN", depth_camera),
    Case("thermal", "160x120 32FC1", thermal),
    Case("text", "1 line", text),
]


def measure(encoder: SensorEncoder, messages: list[Any], repeat: int) -> tuple[float, float]:
    """Milliseconds of decoding and preprocessing a sample, and of its inference."""
    rounds: list[list[tuple[float, float]]] = []
    for _ in range(max(3, repeat // max(1, len(messages) // 30))):
        encoder.adaptor.reset()
        costs, spent = [], 0.0
        for message in messages:
            begun = perf_counter()
            samples = encoder.decode(message, START)
            spent += perf_counter() - begun
            for sample in samples:
                if sample.quality <= 0:
                    continue
                begun = perf_counter()
                encoder.encode(sample)
                costs.append((spent, perf_counter() - begun))
                spent = 0.0
        rounds.append(costs)
    decode, infer = 1e3 * np.min(rounds, axis=0).mean(axis=0)
    return float(decode), float(infer)


def main(
    bundle: str = "digits",
    repeat: int = 200,
    only: Annotated[str, typer.Option(help="Measure this modality only.")] = "",
    markdown: Annotated[bool, typer.Option(help="Print a table for a document.")] = False,
) -> None:
    """Measure every encoder of a bundle."""
    loaded = Bundle.load(bundle)
    row = "| {} | {} | {} | {} | {} |" if markdown else "{:12s} {:42s} {:>10s} {:>10s} {:>7s}"
    print(row.format("modality", "messages of a sample", "decode ms", "infer ms", "ratio"))
    if markdown:
        print("|---|---|---:|---:|---:|")
    for case in CASES:
        if case.modality not in loaded.modalities or only not in ("", case.modality):
            continue
        encoder = SensorEncoder.open(loaded, "bench", case.modality)
        decode, infer = measure(encoder, case.messages(Scene(5)), repeat)
        print(row.format(*case[:2], f"{decode:.3f}", f"{infer:.3f}", f"{decode / infer:.2f}"), flush=True)


if __name__ == "__main__":
    typer.run(main)
