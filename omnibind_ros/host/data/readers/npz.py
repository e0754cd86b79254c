"""`reader: npz`: NumPy archives."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np

from omnibind_ros.host.data.readers.arrays import Arrays, ArraysSource


class NpzSource(ArraysSource):
    """Many recordings per file by default. Pickled objects are refused."""

    reader: Literal["npz"]
    many: bool = True

    def open(self, file: Path) -> Arrays:
        with np.load(file, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
