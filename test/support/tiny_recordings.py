"""A folder of recordings as small as can be, in every format the digits recipe reads."""

from __future__ import annotations

import gzip
import struct
import wave
from pathlib import Path

import cv2
import numpy as np


def write_tiny_root(root: Path) -> Path:
    """Two labels (3 and 5), a few recordings each, laid out like the real folders, one level deeper."""
    base = root / "digits"
    rng = np.random.default_rng(0)

    (base / "audio").mkdir(parents=True)
    for label in (3, 5):
        for speaker in ("ann", "lucas"):
            for take in range(3):
                with wave.open(str(base / f"audio/{label}_{speaker}_{take}.wav"), "wb") as f:
                    f.setparams((1, 2, 8000, 0, "NONE", ""))
                    f.writeframes((rng.standard_normal(2000) * 3000).astype("<i2").tobytes())

    for label in (3, 5):
        folder = base / f"image_signs/{label}"
        folder.mkdir(parents=True)
        cv2.imwrite(str(folder / "IMG_1.JPG"), rng.integers(0, 255, (40, 40, 3), np.uint8))

    (base / "image_mnist").mkdir()
    pictures, labels = rng.integers(0, 255, (4, 28, 28), np.uint8), np.array([3, 5, 3, 5], np.uint8)
    with gzip.open(base / "image_mnist/images-idx3-ubyte.gz", "wb") as f:
        f.write(struct.pack(">HBBIII", 0, 8, 3, 4, 28, 28) + pictures.tobytes())
    with gzip.open(base / "image_mnist/labels-idx1-ubyte.gz", "wb") as f:
        f.write(struct.pack(">HBBI", 0, 8, 1, 4) + labels.tobytes())

    (base / "event").mkdir()
    # x=1 y=2 brighter at 70000 us, then x=33 y=0 darker at 300 us: out of order, as files may be.
    (base / "event/1.bs2").write_bytes(bytes([1, 2, 0x81, 0x11, 0x70]) + bytes([33, 0, 0x00, 0x01, 0x2C]))
    (base / "event/labels.csv").write_text("file,label\n1.bs2,5\n")

    (base / "touch").mkdir()
    spikes = rng.random((3, 240, 16, 16)) < 0.01
    np.savez(
        base / "touch/spikes.npz",
        spikes=np.packbits(spikes, axis=-1),
        label=np.array(["3", "O", "5"]),
        writer=np.array(["AT", "BZ", "HM"]),
    )
    np.save(root / "spikes_as_they_were.npy", spikes)

    (base / "point_cloud").mkdir()
    np.savetxt(base / "point_cloud/stroke_3_0001.csv", rng.normal(0, 100, (30, 3)), delimiter=",")

    for session, cls in (("session_1", "Paper"), ("session_2", "Scissor"), ("session_2", "Unknown")):
        folder = base / f"thermal_hand/{session}/{cls}"
        folder.mkdir(parents=True)
        cv2.imwrite(str(folder / f"{cls}.001.jpg"), rng.integers(0, 255, (32, 32, 3), np.uint8))
    return root
