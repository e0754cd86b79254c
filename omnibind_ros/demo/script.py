"""A scripted robot: sensors join, leave, die and go blind while recognition goes on.

Everything is a process of its own, as on a robot: a driver a sensor (`omnibind play`), an encoder a sensor,
fusion. A shell says how each is started (`Robot`). This process does things to them; its `witness` writes
down when it hears of each embedding and answer; `timeline` judges.

Steps last until what they wait for was seen, plus a short look.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Literal, Protocol

from omnibind_ros.demo.timeline import Action, Kind, Verdict, judge
from omnibind_ros.demo.witness import Witness
from omnibind_ros.errors import OmniBindError
from omnibind_ros.monitor.robot_view import Watch
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
    """Somebody asked the demo to stop."""


@dataclass(frozen=True)
class Scene:
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


class Robot(Protocol):
    """How a shell starts the processes of the demo: a command line each, and variables for all of them."""

    @property
    def environment(self) -> Mapping[str, str]: ...

    def fusion(self, bundle: str) -> Sequence[str]: ...

    def encoder(self, sensor: str, modality: Modality, topic: str, bundle: str) -> Sequence[str]: ...

    def driver(self, *play: object) -> Sequence[str]:
        """`omnibind play` with these arguments."""


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
    scene: Scene, robot: Robot, witness: Witness, watch: Watch, screen: Screen, stop: threading.Event
) -> Outcome:
    """Play the script and judge what happened.

    Args:
        witness, watch: hear what the robot's processes say.
        stop: ends the demo early.

    Raises:
        Interrupted: `stop` was set.
        OmniBindError: a process ended that should not have.
    """
    with Stage(scene, robot, witness, watch, screen, stop) as stage:
        play_script(stage)
        return Outcome(judge(witness.log.snapshot(), scene.label), stage.peak_rss_mb())


class Stage:
    """The processes, and what can be done to them, as a context manager that leaves none behind."""

    def __init__(
        self,
        scene: Scene,
        robot: Robot,
        witness: Witness,
        watch: Watch,
        screen: Screen,
        stop: threading.Event,
    ) -> None:
        self._scene = scene
        self._robot = robot
        self._witness = witness
        self._watch = watch
        self._screen = screen
        self._stop = stop
        self._drivers: dict[str, Child] = {}
        self._encoders: dict[str, Child] = {}
        self._leaving: list[Child] = []
        self._fusion = self._start("fusion", robot.fusion(scene.bundle))
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
        self._screen.say(f"{self._steps}. {what}", "bold")

    def join(self, sensor: str) -> None:
        """Plug a sensor in, and wait until it has a say."""
        self._act("join", sensor)
        self._start_driver(sensor)
        self._start_encoder(sensor)
        self._wait_until(lambda: sensor in self._witness.live)

    def kill(self, sensor: str) -> None:
        """SIGKILL to a sensor's encoder."""
        self._leave("kill", sensor)
        self._wait_until(lambda: sensor not in self._witness.live)

    def cover(self, sensor: str) -> None:
        """A sensor comes back that sees nothing; wait until its encoder is there."""
        self._act("cover", sensor)
        self._stop_driver(sensor)
        self._start_driver(sensor, "--fault", "covered")
        self._start_encoder(sensor)
        self._wait_until(lambda: sensor in self._witness.present)

    def pull_all(self) -> None:
        """Stop all encoders: first those that have no say, then the others one by one."""
        live = [sensor for sensor in self._encoders if sensor in self._witness.live]
        for sensor in self._encoders.keys() - live:
            self._end(sensor).terminate()
        for sensor in live:
            self._leave("stop", sensor)
            if sensor == live[-1]:
                self._act("empty", "")
            self._wait_until(lambda sensor=sensor: sensor not in self._witness.live)  # type: ignore[misc]

    def look(self, seconds: float = _LOOK_S) -> None:
        """Watch what comes of it for a while."""
        until = time.monotonic() + seconds * self._scene.pace
        while time.monotonic() < until:
            self._refresh()

    def peak_rss_mb(self) -> dict[str, float]:
        """Largest resident memory so far of fusion and of each encoder, MB."""
        for child in (self._fusion, *self._encoders.values()):
            self._measure(child)
        return dict(sorted(self._peak_rss_mb.items()))

    # Processes

    def _start(self, name: str, command: Sequence[str]) -> Child:
        return Child(name, command, self._screen.hear, environment=self._robot.environment)

    def _start_driver(self, sensor: str, *fault: str) -> None:
        if sensor in self._drivers:
            return
        scene = self._scene
        source = ("--root", scene.root) if scene.root else ("--simulated",)
        play = self._robot.driver(
            *(scene.recipe, "--label", scene.label, "--modality", SENSORS[sensor]),
            *("--topic", _raw_topic(sensor), "--seed", scene.seed, *source, *fault),
        )
        self._drivers[sensor] = self._start(f"{sensor}_driver", play)

    def _stop_driver(self, sensor: str) -> None:
        stop_all([self._drivers.pop(sensor)])

    def _start_encoder(self, sensor: str) -> None:
        command = self._robot.encoder(sensor, SENSORS[sensor], _raw_topic(sensor), self._scene.bundle)
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
        self._witness.log.actions.append(Action(kind, sensor, time.time_ns()))

    def _wait_until(self, condition: Callable[[], bool]) -> None:
        """Go on when it holds, or after a while in any case: the verdict will say what did not happen."""
        until = time.monotonic() + _PATIENCE_S
        while not condition() and time.monotonic() < until:
            self._refresh()

    def _refresh(self) -> None:
        self._witness.wait(0.05)
        self._screen.show(self._watch.picture())
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
