"""What happened in a demo, when fusion noticed, and whether it was good enough. Pure: judged from a log.

The log is written by one process with one clock. All times are ns since the epoch.

    join   a sensor's first complete window  ->  the first answer that includes the sensor
    stop   SIGTERM to a sensor's encoder     ->  the first answer from which it is missing for good
    kill   SIGKILL likewise
    cover  the sensor returns and sees nothing: its weight must stay small
    empty  the last sensor was pulled        ->  the first answer without a live sensor
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from omnibind_ros.types import UNKNOWN

Kind = Literal["join", "stop", "kill", "cover", "empty"]

LIMITS_MS: Mapping[Kind, float] = {"join": 300.0, "stop": 100.0, "kill": 500.0, "empty": 100.0}
COVERED_WEIGHT = 0.1
"""The most that a sensor which sees nothing may weigh."""

_FOREVER = 1 << 62
_WHAT: Mapping[Kind, str] = {
    "join": "{} joins",
    "stop": "{} is pulled",
    "kill": "{}'s encoder is killed",
    "cover": "{} returns covered",
    "empty": "everything is pulled",
}


@dataclass(frozen=True)
class Action:
    """Something was done to a sensor (`empty`: to the last one)."""

    kind: Kind
    sensor: str
    at: int


@dataclass(frozen=True)
class Arrival:
    """An embedding of a sensor arrived. `stamp`: when its sample was complete."""

    sensor: str
    at: int
    stamp: int


@dataclass(frozen=True)
class Answer:
    """A recognition with its contributions arrived. `label` None = no live sensor; `weights` by sensor."""

    at: int
    label: str | None
    score: float = 0.0
    weights: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Log:
    """What one process saw, each list in the order of time."""

    begun: int
    actions: list[Action] = field(default_factory=list)
    arrivals: list[Arrival] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)

    def snapshot(self) -> Log:
        """What was seen so far; it grows no further."""
        return Log(self.begun, list(self.actions), list(self.arrivals), list(self.answers))


@dataclass(frozen=True)
class Entry:
    """An action and what became of it.

    Attributes:
        at_s: since the demo began.
        noticed_ms: how long fusion took; None = it never noticed, or there was nothing to notice.
        limit_ms: how long it may take.
        ok: noticed in time.
        answer: the last one before the next action.
        right: whether that is the true label; None where it is not judged.
    """

    what: str
    kind: Kind
    sensor: str
    at_s: float
    noticed_ms: float | None
    limit_ms: float | None
    ok: bool
    answer: Answer | None
    right: bool | None


@dataclass(frozen=True)
class Verdict:
    """All events, and every answer that should not have been given.

    Attributes:
        wrong: given by two healthy sensors or more, and not the true label (nor `unknown`).
        stale: given without any live sensor.
        judged: answers given by two healthy sensors or more.
        unknown: those of them that were `unknown`.
    """

    label: str
    log: Log
    events: tuple[Entry, ...]
    wrong: tuple[Answer, ...]
    stale: tuple[Answer, ...]
    judged: int
    unknown: int

    @property
    def passed(self) -> bool:
        """Everything was noticed in time, and no answer was wrong or stale."""
        events_fine = all(event.ok and event.right is not False for event in self.events)
        return bool(self.events) and events_fine and not self.wrong and not self.stale

    def report(self) -> dict[str, Any]:
        """All of it as JSON values."""
        return {
            "passed": self.passed,
            "label": self.label,
            "events": [self._event(event) for event in self.events],
            "reaction": self._reaction(),
            "answers": list(self._phases()),
            "counts": {
                "answers": len(self.log.answers),
                "judged": self.judged,
                "unknown": self.unknown,
                "wrong": len(self.wrong),
                "stale": len(self.stale),
            },
        }

    def _event(self, event: Entry) -> dict[str, Any]:
        answer = event.answer or Answer(0, None)
        return {
            "what": event.what,
            "kind": event.kind,
            "sensor": event.sensor,
            "at_s": round(event.at_s, 3),
            "noticed_ms": None if event.noticed_ms is None else round(event.noticed_ms, 1),
            "limit_ms": event.limit_ms,
            "ok": event.ok,
            "answer": answer.label,
            "score": round(answer.score, 4),
            "weights": _rounded(answer.weights),
            "right": event.right,
        }

    def _reaction(self) -> dict[str, Any]:
        """The slowest of each kind."""
        reaction: dict[str, Any] = {}
        for kind, limit_ms in LIMITS_MS.items():
            noticed = [event.noticed_ms for event in self.events if event.kind == kind]
            if noticed:
                times = [ms for ms in noticed if ms is not None]
                slowest = round(max(times), 1) if len(times) == len(noticed) else None
                reaction[kind] = {"max_ms": slowest, "limit_ms": limit_ms, "n": len(noticed)}
        return reaction

    def _phases(self) -> Iterable[dict[str, Any]]:
        """Answers of one label from one set of sensors in a row, as one entry each."""
        runs: list[list[Answer]] = []
        for answer in self.log.answers:
            if not runs or _gist(runs[-1][-1]) != _gist(answer):
                runs.append([])
            runs[-1].append(answer)
        for run in runs:
            yield {
                "from_s": round(_seconds(run[0].at - self.log.begun), 3),
                "to_s": round(_seconds(run[-1].at - self.log.begun), 3),
                "n": len(run),
                "answer": run[-1].label,
                "score": round(run[-1].score, 4),
                "weights": _rounded(run[-1].weights),
                "right": None if run[-1].label is None else run[-1].label == self.label,
            }


def judge(log: Log, label: str) -> Verdict:
    """Judge a demo that showed `label`."""
    covered = _Covered(log.actions)
    judged = [answer for answer in log.answers if covered.healthy(answer) >= 2]
    return Verdict(
        label,
        log,
        tuple(_event(log, index, label, covered) for index in range(len(log.actions))),
        wrong=tuple(answer for answer in judged if answer.label not in (label, UNKNOWN)),
        stale=tuple(answer for answer in log.answers if answer.label is not None and not answer.weights),
        judged=len(judged),
        unknown=sum(answer.label == UNKNOWN for answer in judged),
    )


class _Covered:
    """Which sensors see nothing, and when."""

    def __init__(self, actions: Iterable[Action]) -> None:
        self._changes = [action for action in actions if action.kind in ("cover", "join")]

    def healthy(self, answer: Answer) -> int:
        """How many of the sensors of an answer could see."""
        return sum(1 for sensor in answer.weights if not self._is_covered(sensor, answer.at))

    def _is_covered(self, sensor: str, at: int) -> bool:
        last = [change for change in self._changes if change.sensor == sensor and change.at <= at][-1:]
        return bool(last) and last[0].kind == "cover"


def _event(log: Log, index: int, label: str, covered: _Covered) -> Entry:
    action = log.actions[index]
    later = log.actions[index + 1 :]
    until_next = later[0].at if later else _FOREVER
    settled = [answer for answer in log.answers if action.at <= answer.at < until_next][-1:]
    answer = settled[0] if settled else None
    noticed = _noticed(log, action, later)
    limit_ms = LIMITS_MS.get(action.kind)
    if action.kind == "cover":
        ok = _heaviest(log, action, later) <= COVERED_WEIGHT
    else:
        ok = noticed is not None and limit_ms is not None and _ms(noticed) <= limit_ms
    return Entry(
        what=_WHAT[action.kind].format(action.sensor),
        kind=action.kind,
        sensor=action.sensor,
        at_s=_seconds(action.at - log.begun),
        noticed_ms=None if noticed is None else _ms(noticed),
        limit_ms=limit_ms,
        ok=ok,
        answer=answer,
        right=_right(answer, label, covered),
    )


def _noticed(log: Log, action: Action, later: list[Action]) -> int | None:
    """How long fusion took to notice, ns."""
    if action.kind == "join":
        first = next((a for a in log.arrivals if a.sensor == action.sensor and a.at >= action.at), None)
        included = next((a for a in log.answers if a.at >= action.at and action.sensor in a.weights), None)
        return None if first is None or included is None else included.at - first.stamp
    if action.kind in ("stop", "kill"):
        return _gone(log, action, _return_of({action.sensor}, later), lambda a: action.sensor in a.weights)
    if action.kind == "empty":
        return _gone(log, action, _return_of(None, later), lambda a: a.label is not None)
    return None


def _gone(log: Log, action: Action, until: int, there: Callable[[Answer], bool]) -> int | None:
    """How long after `action` the last answer for which `there` holds was followed by another one, ns."""
    span = [answer for answer in log.answers if action.at <= answer.at < until]
    last = max((index for index, answer in enumerate(span) if there(answer)), default=-1)
    return span[last + 1].at - action.at if last + 1 < len(span) else None


def _return_of(sensors: set[str] | None, later: list[Action]) -> int:
    """When one of some sensors (None: any) comes back."""
    back = (a.at for a in later if a.kind in ("join", "cover") and (sensors is None or a.sensor in sensors))
    return next(back, _FOREVER)


def _heaviest(log: Log, action: Action, later: list[Action]) -> float:
    until = next((a.at for a in later if a.sensor == action.sensor), _FOREVER)
    span = (answer for answer in log.answers if action.at <= answer.at < until)
    return max((answer.weights.get(action.sensor, 0.0) for answer in span), default=0.0)


def _right(answer: Answer | None, label: str, covered: _Covered) -> bool | None:
    if answer is None or covered.healthy(answer) < 2:
        return None
    return answer.label == label


def _gist(answer: Answer) -> object:
    return answer.label, answer.weights.keys()


def _rounded(weights: Mapping[str, float]) -> dict[str, float]:
    return {sensor: round(weight, 4) for sensor, weight in weights.items()}


def _ms(nanoseconds: int) -> float:
    return nanoseconds / 1e6


def _seconds(nanoseconds: int) -> float:
    return nanoseconds / 1e9
