"""Recordings of time series: arrays and tables, a row a moment."""

from __future__ import annotations

import numpy as np

from omnibind_ros.modalities.files import NUMBERS, FileFormats, RecordedArray
from omnibind_ros.modalities.series.preprocessing import SeriesFormat, at_rate
from omnibind_ros.types import Floats


def series_from_array(array: RecordedArray, format: SeriesFormat) -> Floats:
    """float32 [T, channels] at the format's rate; without a stated rate, the recording already has it."""
    rows = RecordedArray(array.values.reshape(len(array.values), -1), array.scale)
    fits = rows.values.shape[1] == format.channels and len(rows.values) > 0
    array.expect(fits, f"a time series [T, {format.channels}]")
    times = np.arange(len(rows.values)) / (array.rate or format.rate)
    return at_rate(times, rows.scaled, format.rate)


FILES = FileFormats(arrays=(*NUMBERS, ".txt"), from_array=series_from_array)
