"""`reader: mat`: MATLAB files up to version 7."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from omnibind_ros.errors import BadRecording, ConfigError
from omnibind_ros.host.data.readers.arrays import Arrays, ArraysSource


class MatSource(ArraysSource):
    """One recording per file by default."""

    reader: Literal["mat"]
    many: bool = False

    def open(self, file: Path) -> Arrays:
        try:
            from scipy.io import loadmat
        except ModuleNotFoundError as error:
            raise ConfigError(f'reading {file} needs scipy: pip install ".[train]"') from error
        try:
            variables = loadmat(file)
        except NotImplementedError as error:
            raise BadRecording(f"{file} is a MATLAB 7.3 file (HDF5); save it with -v7") from error
        return {name: values for name, values in variables.items() if not name.startswith("__")}
