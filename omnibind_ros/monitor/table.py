"""The state of a robot for people: a live table in a terminal, else a line per change.

    with Screen(Console(), "robot1") as screen:
        while ...:
            screen.show(monitor.snapshot())

Every line of the table is laid out by hand for 80 columns, so that nothing wraps and nothing jumps.
"""

from __future__ import annotations

import time
from collections import deque
from types import TracebackType

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from omnibind_ros.monitor.lettering import HEIGHT, letter, small_letter
from omnibind_ros.monitor.robot_view import SensorRow, Snapshot
from omnibind_ros.types import UNKNOWN, LabelScore, SensorState

WIDTH = 79
"""Columns of the table; one less than 80, since some terminals wrap in the last one."""

_ANSWER_WIDTH = 44
_RUNNER_UP_BAR = 17
_WEIGHT_BAR = 12
_BEFORE_REASON = 37
_REFRESH_S = 0.12
_HEADER = " sensor         modality    state    rate    age qual encode  weight"

_MARKS: dict[SensorState | None, tuple[str, str]] = {
    SensorState.LIVE: ("●", "green"),
    SensorState.STALE: ("○", "yellow"),
    SensorState.LOST: ("○", "bright_black"),
    SensorState.MUTED: ("◌", "cyan"),
    SensorState.FAULTY: ("✖", "red"),
    None: ("·", "bright_black"),
}


def render(snapshot: Snapshot, title: str = "", width: int = WIDTH) -> Group:
    """The live table: the answer large, its runners-up, a line per sensor and one below it for a warning."""
    return Group(
        _headline(snapshot, title),
        Text(),
        *_answer(snapshot),
        Text(),
        Text(_HEADER, style="bright_black"),
        *(line for sensor in snapshot.sensors for line in _sensor(sensor, width)),
        Text(),
    )


def changes(before: Snapshot, after: Snapshot) -> list[str]:
    """What is different, a line each: a sensor's state or first warning, the answer, the set of sensors."""
    known = {sensor.sensor: sensor for sensor in before.sensors}
    lines = []
    for sensor in after.sensors:
        was = known.get(sensor.sensor)
        if sensor.state is not None and (was is None or was.state is not sensor.state):
            reason = "" if sensor.is_live or not sensor.reason else f": {sensor.reason}"
            kind = f" ({sensor.modality})" if sensor.modality else ""
            lines.append(f"{sensor.sensor}{kind} is {sensor.state.value}{reason}")
        if sensor.warning and (was is None or not was.warning):
            lines.append(f"{sensor.sensor} has a warning: {sensor.warning}")
    if _gist(before) != _gist(after):
        lines.append(_sentence(after))
    return lines


class Screen:
    """Shows snapshots and lines on a console, as a context manager.

    Args:
        title: stands above the table.
        plain: lines only, also in a terminal.
    """

    def __init__(self, console: Console, title: str = "", *, plain: bool = False) -> None:
        self._console = console
        self._title = title
        self._shown = Snapshot()
        self._shown_at = -_REFRESH_S
        self._lines: deque[tuple[str, str]] = deque(maxlen=1000)
        self._live = None
        if console.is_terminal and not plain:
            self._live = Live(
                console=console, auto_refresh=False, redirect_stdout=False, redirect_stderr=False
            )

    def __enter__(self) -> Screen:
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._live:
            self._live.stop()

    def show(self, snapshot: Snapshot) -> None:
        """Bring the table up to date; may be called as often as wanted."""
        if self._live is None:
            for line in changes(self._shown, snapshot):
                self._print(line)
        elif time.monotonic() - self._shown_at >= _REFRESH_S:
            width = max(WIDTH, self._console.width - 1)
            self._live.update(render(snapshot, self._title, width), refresh=True)
            self._shown_at = time.monotonic()
        self._shown = snapshot

        while self._lines:
            name, line = self._lines.popleft()
            self.print(f"{name} | {line}", "bright_black")

    def add_line(self, name: str, line: str) -> None:
        """Take a line of a process's output, on any thread; the next `show` prints it.

        A terminal that blocks must not block the processes: beyond 1000 lines the oldest is dropped.
        """
        self._lines.append((name, line))

    def print(self, line: str, style: str = "") -> None:
        """Print a line, above the table if there is one."""
        if self._live:
            self._console.print(Text(line, style=style), soft_wrap=True)
        else:
            self._print(line)

    def _print(self, line: str) -> None:
        now = time.time()
        clock = time.strftime("%H:%M:%S", time.localtime(now))
        self._console.print(Text(f"{clock}.{int(now * 1000) % 1000:03d}  {line}"), soft_wrap=True)


# -------- pieces of the table


def _headline(snapshot: Snapshot, title: str) -> Text:
    live = sum(sensor.is_live for sensor in snapshot.sensors)
    left = f" omnibind  {title}"
    if snapshot.silent_s is None:
        right = "waiting for fusion"
    elif snapshot.labels is None:
        right = f"no answer from fusion for {snapshot.silent_s:.0f} s"
    else:
        right = f"{live} of {len(snapshot.sensors)} sensors live · {snapshot.rate_hz:.0f} answers/s"
    left = _fit(left, WIDTH - len(right) - 1)
    return _line((left[:9], "bold"), (left[9:], ""), (right, "bright_black"))


def _answer(snapshot: Snapshot) -> list[Text]:
    """HEIGHT lines: the label in large letters, the ranked labels beside it."""
    labels = snapshot.labels or ()
    if snapshot.labels is None:
        drawn, style = ["no fusion"], "bright_black"
    elif not labels:
        drawn, style = ["no live sensor"], "bright_black"
    else:
        drawn, style = _large(labels[0].label), _confidence_style(labels[0])
    left = _centred(drawn, _ANSWER_WIDTH)
    right = _padded([_ranked(label, i == 0, style) for i, label in enumerate(labels[: HEIGHT - 2])])
    return [_line((text, style)).append_text(rank) for text, rank in zip(left, right, strict=True)]


def _large(label: str) -> list[str]:
    for draw in (letter, small_letter):
        drawn = draw(label)
        if len(drawn[0]) <= (24 if draw is letter else _ANSWER_WIDTH):
            return drawn
    return [_fit(label, _ANSWER_WIDTH).strip()]


def _ranked(label: LabelScore, first: bool, style: str) -> Text:
    bar = _fit(_bar(label.score, _RUNNER_UP_BAR), _RUNNER_UP_BAR)
    name_style, bar_style = ("bold", style) if first else ("", "bright_black")
    name = _fit(label.label, 8) + " "
    return _line((name, name_style), (bar, bar_style), (f"{label.score:>6.0%}", name_style))


def _sensor(sensor: SensorRow, width: int) -> list[Text]:
    mark, style = _MARKS[sensor.state]
    word = sensor.state.value if sensor.state else "?"
    name_style = "" if sensor.is_live else "bright_black"
    line = _line(
        (f" {_fit(sensor.sensor, 14)} {_fit(sensor.modality, 11)} ", name_style), (f"{mark} {word:7}", style)
    )
    if not sensor.is_live:
        return [line.append(_fit(sensor.reason, width - _BEFORE_REASON).rstrip(), style="bright_black")]
    numbers = (
        f"{_shown(sensor.rate_hz, '.1f'):>4} {_shown(sensor.age_s, '.1f', 's'):>6} "
        f"{_shown(sensor.quality, '.2f'):>4} {_shown(sensor.encode_ms, '.1f', 'ms'):>6}  "
    )
    bar = _fit(_bar(sensor.weight, _WEIGHT_BAR), _WEIGHT_BAR)
    line.append(numbers).append(bar, style="cyan").append(f"{sensor.weight:>5.0%}")
    if not sensor.warning:
        return [line]
    return [line, _line((_fit(f"   ! {sensor.warning}", width).rstrip(), "yellow"))]


def _sentence(snapshot: Snapshot) -> str:
    if snapshot.labels is None:
        return "fusion does not answer"
    if not snapshot.labels:
        return "answer: none, no live sensor"
    best = snapshot.labels[0]
    heaviest = sorted((s for s in snapshot.sensors if s.is_live), key=lambda s: -s.weight)
    shares = ", ".join(f"{sensor.sensor} {sensor.weight:.0%}" for sensor in heaviest)
    return f"answer: {best.label} ({best.score:.0%}) from {shares}"


def _gist(snapshot: Snapshot) -> object:
    answer = snapshot.labels[0].label if snapshot.labels else snapshot.labels
    return answer, {sensor.sensor for sensor in snapshot.sensors if sensor.is_live}


def _confidence_style(best: LabelScore) -> str:
    return "bold green" if best.label != UNKNOWN and best.score >= 0.8 else "bold yellow"


# -------- pieces of lines


def _line(*pieces: tuple[str, str]) -> Text:
    line = Text(no_wrap=True, overflow="crop")
    for text, style in pieces:
        line.append(text, style=style)
    return line


def _bar(share: float, width: int) -> str:
    """A horizontal bar, exact to an eighth of a column; anything above nothing shows."""
    eighths = max(round(min(share, 1.0) * width * 8), 1 if share > 0 else 0)
    return "█" * (eighths // 8) + ("▏▎▍▌▋▊▉"[eighths % 8 - 1] if eighths % 8 else "")


def _fit(text: str, width: int) -> str:
    return text.ljust(width) if len(text) <= width else text[: width - 1] + "…"


def _shown(number: float | None, form: str, unit: str = "") -> str:
    return "–" if number is None else f"{number:{form}}{unit}"


def _centred(drawn: list[str], width: int) -> list[str]:
    above = (HEIGHT - len(drawn)) // 2
    lines = [*[""] * above, *drawn]
    return [line.center(width) for line in lines + [""] * (HEIGHT - len(lines))]


def _padded(lines: list[Text]) -> list[Text]:
    above = (HEIGHT - len(lines)) // 2
    return [Text() for _ in range(above)] + lines + [Text() for _ in range(HEIGHT - above - len(lines))]
