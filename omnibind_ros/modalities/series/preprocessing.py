"""Time series: any sensor that measures a few numbers at a rate, as inertial units, joints and wrenches.

Such modalities differ in constants only. A bundle defines its own: its manifest names the modality and has
`adaptor: series`, the number of channels, the rate and the scale of the values. Messages may come at any rate
and unevenly: a window is resampled to the model's rate by its stamps. Continuous movement has no pauses to
cut it at: the newest `window_s` is taken every hop.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from omnibind_ros.errors import BadMessage, ConfigError
from omnibind_ros.messages.fields import NANOSECONDS, type_name
from omnibind_ros.modalities.preprocessor import Check, Preprocessor, Sample, stamp_and_frame
from omnibind_ros.modalities.ring import Ring
from omnibind_ros.modalities.stream_clock import StreamClock


@dataclass(frozen=True)
class SeriesFormat:
    """Preprocessing constants of a time series.

    Attributes:
        channels: values of one message.
        rate: rows a second of the model input.
        window_s, hop_s: length of a sample, and how often one is taken.
        mean, std: the value that becomes 0, and the spread that becomes 1; one for all, or one a channel.
        axes: if not 0, the channels are points of so many coordinates, of which the common centre over the
            sample is subtracted.
        still, lively: standard deviation (in units of `std`) of the liveliest channel at which quality is 0
            and 1.
        gap_s: pause between two messages after which the window begins afresh.
    """

    channels: int = 6
    rate: float = 50.0
    window_s: float = 3.0
    hop_s: float = 0.5
    mean: float | Sequence[float] = 0.0
    std: float | Sequence[float] = 1.0
    axes: int = 0
    still: float = 0.005
    lively: float = 0.02
    gap_s: float = 0.5

    def __post_init__(self) -> None:
        for name in ("mean", "std"):
            values = np.atleast_1d(np.asarray(getattr(self, name), np.float64))
            if values.shape not in ((1,), (self.channels,)):
                raise ConfigError(
                    f"{name} of a time series holds {len(values)} values for {self.channels} channels"
                )
            object.__setattr__(self, name, tuple(values.tolist()))
        if min(self.std) <= 0:  # type: ignore[arg-type]
            raise ConfigError(f"std of a time series is {self.std}; every spread is above 0")
        if self.axes and self.channels % self.axes:
            raise ConfigError(f"{self.channels} channels are no points of {self.axes} coordinates each")

    @property
    def frames(self) -> int:
        return round(self.rate * self.window_s)


_FASTEST_HZ = 1000
"""a window holds no more rows a second than this"""
_LARGEST = float(np.finfo(np.float32).max)


class SeriesPreprocessor(Preprocessor):
    """`sensor_msgs/Imu` (acceleration, then angular velocity), `JointState` (positions), `Float32MultiArray`.

    A raw sample is float32 [T, channels] at `format.rate`, T as recorded. A message without a stamp is timed
    by its receipt; if that is unknown too, messages count as `1 / format.rate` apart.
    """

    modality = "series"
    stream = True
    Format = SeriesFormat
    format: SeriesFormat

    def __init__(self, format: SeriesFormat | None = None) -> None:
        super().__init__(format)
        f = self.format
        self._mean, self._std = np.asarray(f.mean, np.float32), np.asarray(f.std, np.float32)
        self._capacity = round(max(_FASTEST_HZ, f.rate) * f.window_s) + 1
        self._stamps, self._rows = Ring(self._capacity, dtype=np.int64), Ring(self._capacity, (f.channels,))
        self._window, self._hop = round(f.window_s * NANOSECONDS), round(f.hop_s * NANOSECONDS)
        self._gap = round(f.gap_s * NANOSECONDS)
        self._period = round(NANOSECONDS / f.rate)
        self._grid = np.arange(1 - f.frames, 1) / f.rate
        self._clock = StreamClock(self._gap)
        self.reset()

    def reset(self) -> None:
        self._stamps.clear()
        self._rows.clear()
        self._waiting: list[tuple[int, Sequence[float]]] = []
        self._last: int | None = None
        self._next_look = 0

    @property
    def input_shape(self) -> tuple[int, ...]:
        return (1, self.format.channels, 1, self.format.frames)

    def feed(self, message: Any, received: int = 0) -> list[Sample]:
        row = self._row(message)
        stamp, frame_id = stamp_and_frame(message)
        stamp = self._clock.time(stamp, received)
        self.stamp_fault = self._clock.fault
        now = stamp or (self._last or 0) + self._period
        passed = None if self._last is None else now - self._last
        if passed is None or not 0 <= passed <= self._gap:
            alone = self._rows.total + len(self._waiting) == 1
            self._begin(now, row)
            if passed is None or passed < 0 or not alone:
                return []
            reason = (
                f"messages are {passed / NANOSECONDS:.3g} s apart, a window allows {self.format.gap_s:g} s"
            )
            return [Sample(self.nothing, stamp, frame_id, 0.0, reason)]
        self._last = now
        self._waiting.append((now, row))
        if now < self._next_look:
            if len(self._waiting) == self._capacity:  # the stamps hardly advance
                self._take_in()
            return []
        self._next_look = now + self._hop - (now - self._next_look) % self._hop
        raw = self._newest(now)
        verdict = self.check(raw)
        data = self.prepare(raw) if verdict.quality > 0 else self.nothing
        reason, span_s = verdict.reason or self.stamp_fault, self.format.window_s
        return [Sample(data, stamp, frame_id, verdict.quality, reason, span_s)]

    def _begin(self, now: int, row: Sequence[float]) -> None:
        """A new window with its first row."""
        self.reset()
        self._next_look = now + self._window - self._period
        self._last = now
        self._waiting.append((now, row))

    def _take_in(self) -> None:
        """Move what came since the last hop into the window."""
        self._stamps.push(np.array([stamp for stamp, _ in self._waiting], np.int64))
        self._rows.push(np.array([row for _, row in self._waiting], np.float32))
        self._waiting.clear()

    def _newest(self, now: int) -> NDArray[np.float32]:
        """The window that ends now."""
        self._take_in()
        recent = np.searchsorted(self._stamps.view, now - self._window)
        times = (self._stamps.view[recent:] - now) / NANOSECONDS
        return at_rate(times, self._rows.view[recent:], self.format.rate, self._grid)

    def join(self, messages: Iterable[Any]) -> NDArray[np.float32]:
        stamps: list[int] = []
        rows: list[Sequence[float]] = []
        for message in messages:
            rows.append(self._row(message))
            stamps.append(stamp_and_frame(message)[0] or (stamps[-1] + self._period if stamps else 0))
        times = (np.array(stamps, np.int64) - stamps[0]) / NANOSECONDS
        return at_rate(times, np.array(rows, np.float32), self.format.rate)

    def _row(self, message: Any) -> Sequence[float]:
        """The values of one message, checked."""
        if hasattr(message, "linear_acceleration"):
            row = _of_imu(message)
        else:
            row = message.position if hasattr(message, "position") else message.data
        if len(row) != self.format.channels:
            raise BadMessage(
                f"{type_name(message)} holds {len(row)} values, the encoder takes {self.format.channels}"
            )
        if not all(-_LARGEST <= value <= _LARGEST for value in row):
            raise BadMessage(f"{type_name(message)} holds values that are not finite in float32")
        return row

    def check(self, raw: NDArray[np.float32]) -> Check:
        f = self.format
        spread = raw.std(axis=0) / self._std
        strongest = float(spread.max(initial=0.0))
        quality = min(1.0, max(0.0, (strongest - f.still) / (f.lively - f.still)))
        if quality == 0.0:
            return Check(0.0, "nothing moves")
        dead = int(np.count_nonzero(np.ptp(raw, axis=0) == 0))
        if dead:
            return Check(quality * (1 - dead / f.channels), f"{dead} of {f.channels} channels do not change")
        return Check(quality, "" if quality == 1.0 else "hardly anything moves")

    def prepare(self, raw: NDArray[np.float32]) -> NDArray[np.float32]:
        f = self.format
        if len(raw) > f.frames:
            raw = raw[(len(raw) - f.frames) // 2 :][: f.frames]
        scaled = raw - self._mean
        if f.axes:
            points = scaled.reshape(-1, f.axes)
            points -= points.mean(axis=0)
        scaled /= self._std
        before = (f.frames - len(scaled)) // 2
        if len(scaled) < f.frames:  # the first and the last row are repeated
            scaled = np.pad(scaled, ((before, f.frames - len(scaled) - before), (0, 0)), mode="edge")
        return np.ascontiguousarray(scaled.T, np.float32)[None, :, None, :]


def at_rate(
    times: NDArray[np.float64],
    values: NDArray[np.float32],
    rate: float,
    grid: NDArray[np.float64] | None = None,
) -> NDArray[np.float32]:
    """Resample unevenly spaced rows to even ones: linear interpolation, after a running mean of denser rows.

    Args:
        times: seconds [N], ascending.
        values: float32 [N, C].
        rate: rows a second.
        grid: seconds [T] of the rows wanted; by default from the first to the last time.

    Returns:
        float32 [T, C].
    """
    duration = float(times[-1] - times[0])
    if grid is None:
        grid = times[0] + np.arange(math.floor(duration * rate + 1e-6) + 1) / rate
    if duration <= 0:
        return np.repeat(values[-1:], len(grid), axis=0)
    together = min(round((len(times) - 1) / (duration * rate)), len(times) - 1)
    if together > 1:
        times, values = _running_mean(times[:, None], together)[:, 0], _running_mean(values, together)
    after = np.clip(np.searchsorted(times, grid), 1, len(times) - 1)
    before = after - 1
    step = np.maximum(times[after] - times[before], 1e-9)
    share = np.clip((grid - times[before]) / step, 0.0, 1.0).astype(np.float32)[:, None]
    return np.asarray(values[before] * (1 - share) + values[after] * share, np.float32)


def _running_mean(values: NDArray[Any], length: int) -> NDArray[Any]:
    sums = np.cumsum(values, axis=0, dtype=np.float64)
    sums[length:] -= sums[:-length].copy()
    return np.asarray(sums[length - 1 :] / length)


def _of_imu(message: Any) -> Sequence[float]:
    """Acceleration (m/s^2) and angular velocity (rad/s), x y z each."""
    a, w = message.linear_acceleration, message.angular_velocity
    for name in ("linear_acceleration", "angular_velocity"):
        if getattr(message, f"{name}_covariance")[0] == -1:  # the convention of sensor_msgs/Imu
            raise BadMessage(f"{type_name(message)}: the device does not measure {name}")
    return (a.x, a.y, a.z, w.x, w.y, w.z)
