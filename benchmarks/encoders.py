"""What does one sample cost on the robot? Decoding and preprocessing against inference, on one core.

    python benchmarks/encoders.py [--bundle engines/digits] [--repeat 200] [--markdown]

Messages are those a real driver sends: a 640x480 rgb8 camera picture, 50 ms of 16 kHz sound, 10 ms of
events, one tactile frame, a 160x120 thermal picture, a cloud of 2000 points, a line of text. A sample of a
stream is made of many messages: the cost of all that arrive in one hop is counted as its decoding.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

from collections.abc import Callable
from time import perf_counter
from typing import Annotated, Any

import cv2
import numpy as np
import typer

from omnibind_ros.bundle.loading import Bundle
from omnibind_ros.encoder.sensor_encoder import SensorEncoder
from omnibind_ros.host.data.scene import Scene
from omnibind_ros.modalities.audio.messages import audio_message
from omnibind_ros.modalities.event.events import Events
from omnibind_ros.modalities.event.messages import event_message
from omnibind_ros.modalities.image.messages import image_message
from omnibind_ros.modalities.point_cloud.messages import cloud_message
from omnibind_ros.modalities.text.messages import text_message
from omnibind_ros.modalities.touch.messages import touch_message

cv2.setNumThreads(1)  # OpenCV would spread a resize over all cores

START = 1_700_000_000_000_000_000
RNG = np.random.default_rng(0)


def camera(encoding_scene: Scene) -> list[Any]:
    picture = cv2.resize(encoding_scene.sample("image"), (640, 480))
    return [image_message(picture, START, "camera")]


def thermal(scene: Scene) -> list[Any]:
    picture = cv2.resize(scene.sample("thermal").astype(np.float32), (160, 120))
    return [image_message(picture, START, "thermal")]


def cloud(scene: Scene) -> list[Any]:
    points = scene.sample("point_cloud")
    many = np.repeat(points, 2000 // len(points) + 1, axis=0)[:2000]
    return [cloud_message(many + RNG.normal(0, 1e-3, many.shape).astype(np.float32), START, "depth")]


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


def events(scene: Scene) -> list[Any]:
    """Three recordings end to end in packets of 10 ms."""
    burst = scene.sample("event")
    stream = Events.concatenate([burst.shifted(i * 330_000_000) for i in range(3)])
    packets = []
    for number, begin in enumerate(range(0, int(stream.t[-1]), 10_000_000)):
        part = stream.between(begin, begin + 10_000_000)
        first = int(part.t[0]) if len(part) else begin
        packets.append(event_message(part.shifted(START), START + first, "dvs", number))
    return packets


def skin(scene: Scene) -> list[Any]:
    """Two strokes with rests between them, 120 frames a second."""
    stroke, rest = scene.sample("touch"), np.zeros((96, 16, 16), np.float32)
    frames = np.concatenate([rest, stroke, rest, stroke, rest])
    return [touch_message(f, START + i * 8_333_333, "skin") for i, f in enumerate(frames)]


MESSAGES: dict[str, Callable[[Scene], list[Any]]] = {
    "image": camera,
    "thermal": thermal,
    "point_cloud": cloud,
    "text": text,
    "audio": sound,
    "event": events,
    "touch": skin,
}


def measure(encoder: SensorEncoder, messages: list[Any], repeat: int) -> tuple[float, float, int]:
    """Median milliseconds of decoding and preprocessing a sample, and of its inference; samples seen."""
    decode, infer = [], []
    spent = 0.0
    rounds = max(1, repeat // max(1, len(messages) // 30))
    for _ in range(rounds):
        encoder.adaptor.reset()
        spent = 0.0
        for message in messages:
            begun = perf_counter()
            samples = encoder.decode(message, START)
            spent += perf_counter() - begun
            for sample in samples:
                if sample.quality <= 0:
                    continue
                begun = perf_counter()
                encoder.encode(sample)
                infer.append(perf_counter() - begun)
                decode.append(spent)
                spent = 0.0
    return 1e3 * float(np.median(decode)), 1e3 * float(np.median(infer)), len(infer)


def main(
    bundle: str = "digits",
    repeat: int = 200,
    markdown: Annotated[bool, typer.Option(help="Print a table for a document.")] = False,
) -> None:
    """Measure every encoder of a bundle."""
    loaded = Bundle.load(bundle)
    row = "| {:12s} | {:>8s} | {:>8s} | {:>6s} |" if markdown else "{:12s} {:>10s} {:>10s} {:>8s}"
    print(row.format("modality", "decode ms", "infer ms", "ratio"))
    if markdown:
        print("|---|---:|---:|---:|")
    for modality in loaded.modalities:
        if modality not in MESSAGES:
            continue
        encoder = SensorEncoder.open(loaded, "bench", modality)
        decode, infer, _ = measure(encoder, MESSAGES[modality](Scene(5)), repeat)
        print(row.format(modality, f"{decode:.3f}", f"{infer:.3f}", f"{decode / infer:.2f}"))


if __name__ == "__main__":
    typer.run(main)
