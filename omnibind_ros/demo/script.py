"""A scripted robot: sensors join, leave, die and go blind while recognition goes on.

Everything is a process of its own, as on a robot: a driver a sensor (`omnibind play`), an encoder a sensor,
fusion (`programs.py`). This process starts and stops them; `recorder.py` records when each embedding and
answer arrives; `timeline.py` judges.

Steps last until what they wait for was seen, plus a short look.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Literal

from omnibind_ros.demo.programs import Programs
from omnibind_ros.demo.recorder import Recorder
from omnibind_ros.demo.timeline import Action, Kind, Verdict, judge
from omnibind_ros.errors import OmniBindError
from omnibind_ros.monitor.monitor import Monitor
from omnibind_ros.monitor.table import Screen
from omnibind_ros.process.child import Child, ending, stop_all
from omnibind_ros.types import Modality

SENSORS: dict[str, Modality] = {
    "camera": "image",
    "microphone": "audio",
    "touch": "touch",
    "event_camera": "event",
    "depth": "point_cloud",
    "thermal": "thermal",
}

_PATIENCE_S = 20.0
_LOOK_S = 2.0


class Interrupted(Exception):
    """The demo was told to stop."""


@dataclass(frozen=True)
class Options:
    """What the demo shows.

    Attributes:
        label: the true answer.
        root: folder of recordings to play; None = simulated sensors.
        recipe: which recordings mean what.
        seed: makes the choice of samples repeatable.
        bundle: what recognises.
        pace: how long each step is looked at, 1 = as usual.
    """

    label: str = "5"
    root: Path | None = None
    recipe: str = "digits"
    seed: int = 0
    bundle: str = "digits"
    pace: float = 1.0


@dataclass(frozen=True)
class Outcome:
    """What came of a demo. `peak_rss_mb`: most resident memory of each robot process, where it is known."""

    verdict: Verdict
    peak_rss_mb: dict[str, float]


def play_script(stage: Stage) -> None:
    """The story."""
    stage.announce("The camera alone")
    stage.join("camera")
    stage.look()
    stage.announce("A microphone joins")
    stage.join("microphone")
    stage.look()
    stage.announce("A touch sensor joins")
    stage.join("touch")
    stage.look()
    stage.announce("The camera's encoder is killed")
    stage.kill("camera")
    stage.look()
    stage.announce("An event camera, a depth sensor and a thermal camera join")
    for sensor in ("event_camera", "depth", "thermal"):
        stage.join(sensor)
    stage.look()
    stage.announce("The camera comes back, but covered")
    stage.cover("camera")
    stage.look()
    stage.announce("Everything is pulled")
    stage.pull_all()
    stage.look()
    stage.announce("One sensor returns")
    stage.join("event_camera")
    stage.look()


def run_demo(
    options: Options,
    programs: Programs,
    recorder: Recorder,
    monitor: Monitor,
    screen: Screen,
    stop: threading.Event,
) -> Outcome:
    """Play the script and judge what happened.

    Args:
        programs: how processes are started.
        recorder, monitor: follow the robot over the same transport.
        stop: ends the demo early.

    Raises:
        Interrupted: `stop` was set.
        OmniBindError: a process ended that should not have.
    """
    with Stage(options, programs, recorder, monitor, screen, stop) as stage:
        play_script(stage)
        return Outcome(judge(recorder.log.snapshot(), options.label), stage.peak_rss_mb())


class Stage:
    """The processes, and what can be done to them, as a context manager that leaves none behind."""

    def __init__(
        self,
        options: Options,
        programs: Programs,
        recorder: Recorder,
        monitor: Monitor,
        screen: Screen,
        stop: threading.Event,
    ) -> None:
        self._options = options
        self._programs = programs
        self._recorder = recorder
        self._monitor = monitor
        self._screen = screen
        self._stop = stop
        self._drivers: dict[str, Child] = {}
        self._encoders: dict[str, Child] = {}
        self._leaving: list[Child] = []
        self._fusion = self._start("fusion", programs.fusion(options.bundle))
        self._peak_rss_mb: dict[str, float] = {}
        self._steps = 0

    def __enter__(self) -> Stage:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        stop_all([*self._encoders.values(), *self._drivers.values(), *self._leaving, self._fusion])

    def announce(self, what: str) -> None:
        """Begin a step."""
        self._steps += 1
        self._screen.print(f"{self._steps}. {what}", "bold")

    def join(self, sensor: str) -> None:
        """Plug a sensor in, and wait until it is fused."""
        self._act("join", sensor)
        self._start_driver(sensor)
        self._start_encoder(sensor)
        self._wait_until(lambda: sensor in self._recorder.live)

    def kill(self, sensor: str) -> None:
        """SIGKILL to a sensor's encoder."""
        self._leave("kill", sensor)
        self._wait_until(lambda: sensor not in self._recorder.live)

    def cover(self, sensor: str) -> None:
        """A sensor comes back that sees nothing; wait until its encoder is there."""
        self._act("cover", sensor)
        self._stop_driver(sensor)
        self._start_driver(sensor, "--fault", "covered")
        self._start_encoder(sensor)
        self._wait_until(lambda: sensor in self._recorder.present)

    def pull_all(self) -> None:
        """Stop all encoders: first those that are not fused, then the others one by one."""
        live = [sensor for sensor in self._encoders if sensor in self._recorder.live]
        for sensor in self._encoders.keys() - live:
            self._end(sensor).terminate()
        for sensor in live:
            self._leave("stop", sensor)
            if sensor == live[-1]:
                self._act("empty", "")
            self._wait_until(lambda sensor=sensor: sensor not in self._recorder.live)  # type: ignore[misc]

    def look(self, seconds: float = _LOOK_S) -> None:
        """Watch what comes of it for a while."""
        until = time.monotonic() + seconds * self._options.pace
        while time.monotonic() < until:
            self._refresh()

    def peak_rss_mb(self) -> dict[str, float]:
        """Largest resident memory so far of fusion and of each encoder, MB."""
        for child in (self._fusion, *self._encoders.values()):
            self._measure(child)
        return dict(sorted(self._peak_rss_mb.items()))

    # Processes

    def _start(self, name: str, command: Sequence[str]) -> Child:
        return Child(name, command, self._screen.add_line, environment=self._programs.environment)

    def _start_driver(self, sensor: str, *fault: str) -> None:
        if sensor in self._drivers:
            return
        options = self._options
        source = ("--root", options.root) if options.root else ("--simulated",)
        play = self._programs.driver(
            *(options.recipe, "--label", options.label, "--modality", SENSORS[sensor]),
            *("--topic", _raw_topic(sensor), "--seed", options.seed, *source, *fault),
        )
        self._drivers[sensor] = self._start(f"{sensor}_driver", play)

    def _stop_driver(self, sensor: str) -> None:
        stop_all([self._drivers.pop(sensor)])

    def _start_encoder(self, sensor: str) -> None:
        command = self._programs.encoder(sensor, SENSORS[sensor], _raw_topic(sensor), self._options.bundle)
        self._encoders[sensor] = self._start(f"encoder_{sensor}", command)

    def _leave(self, kind: Literal["stop", "kill"], sensor: str) -> None:
        encoder = self._end(sensor)
        self._act(kind, sensor)
        if kind == "kill":
            encoder.kill()
        else:
            encoder.terminate()

    def _end(self, sensor: str) -> Child:
        """The encoder of a sensor, which may end from now on."""
        encoder = self._encoders.pop(sensor)
        self._measure(encoder)
        self._leaving.append(encoder)
        return encoder

    def _measure(self, child: Child) -> None:
        peak = _peak_rss_mb(child.pid)
        if peak is not None:
            self._peak_rss_mb[child.name] = max(peak, self._peak_rss_mb.get(child.name, 0.0))

    # Waiting

    def _act(self, kind: Kind, sensor: str) -> None:
        self._recorder.log.actions.append(Action(kind, sensor, time.time_ns()))

    def _wait_until(self, condition: Callable[[], bool]) -> None:
        """Go on when it holds, or after a while in any case: the verdict tells what did not happen."""
        until = time.monotonic() + _PATIENCE_S
        while not condition() and time.monotonic() < until:
            self._refresh()

    def _refresh(self) -> None:
        self._recorder.wait(0.05)
        self._screen.show(self._monitor.snapshot())
        if self._stop.is_set():
            raise Interrupted
        for child in (self._fusion, *self._drivers.values(), *self._encoders.values()):
            if child.returncode is not None:
                raise OmniBindError(f"demo: {child.name} {ending(child.returncode)}; see above")


def _raw_topic(sensor: str) -> str:
    return f"{sensor}/raw"


def _peak_rss_mb(pid: int) -> float | None:
    """Peak resident memory of a process, proc(5); None where that is not known."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    except OSError:
        return None
    peak = re.search(r"^VmHWM:\s+(\d+) kB", status, re.MULTILINE)
    return int(peak[1]) / 1000 if peak else None
