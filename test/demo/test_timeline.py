"""How a demo is judged, on logs made by hand: times in ms."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

from omnibind_ros.demo.timeline import Action, Answer, Arrival, Entry, Log, judge

MS = 1_000_000
START = 1_700_000_000_000 * MS


def ms(value: float) -> int:
    return START + round(value * MS)


def answer(at: float, label: str | None, *sensors: str, **weights: float) -> Answer:
    weights = weights or {sensor: 1 / len(sensors) for sensor in sensors}
    return Answer(ms(at), label, 0.9 if label else 0.0, weights)


GOOD = Log(
    START,
    actions=[
        Action("join", "camera", ms(0)),
        Action("join", "microphone", ms(1000)),
        Action("kill", "camera", ms(2000)),
        Action("stop", "microphone", ms(3000)),
        Action("empty", "", ms(3000.1)),
        Action("join", "microphone", ms(4000)),
    ],
    arrivals=[
        Arrival("camera", ms(503), ms(500)),
        Arrival("camera", ms(603), ms(600)),
        Arrival("microphone", ms(1510), ms(1500)),
        Arrival("microphone", ms(4210), ms(4200)),
    ],
    answers=[
        answer(100, None),
        answer(540, "5", "camera"),
        answer(1620, "5", "camera", "microphone"),
        answer(2100, "5", "camera", "microphone"),
        answer(2280, "5", "microphone"),
        answer(3050, None),
        answer(3900, None),
        answer(4290, "5", "microphone"),
    ],
)


def with_answers(*more: Answer) -> Log:
    return replace(GOOD, answers=sorted([*GOOD.answers, *more], key=lambda a: a.at))


def event(log: Log, kind: str, sensor: str = "") -> Entry:
    return next(e for e in judge(log, "5").events if e.kind == kind and e.sensor == sensor)


def noticed(events: Sequence[Entry]) -> list[float | None]:
    return [e.noticed_ms for e in events]


def test_a_good_demo_passes_and_is_measured_exactly() -> None:
    verdict = judge(GOOD, "5")
    assert verdict.passed
    assert noticed(verdict.events) == [40.0, 120.0, 280.0, 50.0, 49.9, 90.0]
    assert [e.right for e in verdict.events] == [None, True, None, None, None, None]
    assert (verdict.judged, verdict.unknown) == (2, 0)


def test_an_empty_log_does_not_pass() -> None:
    assert not judge(Log(START), "5").passed


def test_a_wrong_answer_of_two_sensors_fails() -> None:
    verdict = judge(with_answers(answer(1800, "3", "camera", "microphone")), "5")
    assert [a.at for a in verdict.wrong] == [ms(1800)]
    assert not verdict.passed


def test_a_wrong_answer_of_one_sensor_alone_is_forgiven() -> None:
    assert judge(with_answers(answer(700, "3", "camera")), "5").passed


def test_unknown_for_a_moment_is_not_wrong_but_is_counted() -> None:
    verdict = judge(with_answers(answer(2050, "unknown", "camera", "microphone")), "5")
    assert verdict.passed
    assert verdict.unknown == 1


def test_unknown_in_the_end_is_not_right() -> None:
    verdict = judge(with_answers(answer(1990, "unknown", "camera", "microphone")), "5")
    assert event(verdict.log, "join", "microphone").right is False
    assert not verdict.passed


def test_a_late_join_fails() -> None:
    log = replace(GOOD, answers=[a for a in GOOD.answers if a.at != ms(1620)])
    late = event(log, "join", "microphone")
    assert late.noticed_ms == 600.0
    assert not late.ok
    assert not judge(log, "5").passed


def test_a_sensor_that_never_has_a_say_fails() -> None:
    log = replace(GOOD, answers=[a for a in GOOD.answers if a.at < ms(4000)])
    assert event(log, "join", "microphone").ok
    verdict = judge(log, "5")
    assert verdict.events[-1].noticed_ms is None
    assert not verdict.passed


def test_a_late_kill_fails() -> None:
    log = with_answers(answer(2501, "5", "camera", "microphone"), answer(2520, "5", "microphone"))
    assert event(log, "kill", "camera").noticed_ms == 520.0
    assert not judge(log, "5").passed


def test_a_sensor_that_comes_back_from_the_dead_was_not_gone() -> None:
    log = with_answers(answer(2900, "5", "camera", "microphone"), answer(2950, "5", "microphone"))
    assert event(log, "kill", "camera").noticed_ms == 950.0


def test_a_stale_answer_after_everything_was_pulled_fails() -> None:
    verdict = judge(with_answers(answer(3500, "5")), "5")
    assert [a.at for a in verdict.stale] == [ms(3500)]
    assert event(verdict.log, "empty").noticed_ms == 899.9
    assert not verdict.passed


def test_fusion_that_falls_silent_has_noticed_nothing() -> None:
    log = replace(GOOD, answers=[a for a in GOOD.answers if a.at < ms(3000)])
    assert event(log, "stop", "microphone").noticed_ms is None
    assert not judge(log, "5").passed


def covered(weight: float) -> Log:
    return Log(
        START,
        [
            Action("join", "touch", ms(0)),
            Action("join", "depth", ms(100)),
            Action("cover", "camera", ms(500)),
        ],
        [Arrival("touch", ms(10), ms(9)), Arrival("depth", ms(110), ms(109))],
        [
            answer(20, "5", "touch"),
            answer(120, "5", "touch", "depth"),
            answer(600, "5", touch=0.5, depth=0.5 - weight, camera=weight),
        ],
    )


def test_a_covered_sensor_must_weigh_little() -> None:
    assert judge(covered(0.1), "5").passed
    assert not judge(covered(0.11), "5").passed


def test_a_covered_sensor_is_not_a_healthy_one() -> None:
    log = covered(0.1)
    log.answers.append(answer(700, "3", touch=0.95, camera=0.05))
    assert judge(log, "5").judged == 2
    assert judge(log, "5").passed


def test_the_report_is_json_and_says_it_all() -> None:
    report = json.loads(json.dumps(judge(GOOD, "5").report()))
    assert report["passed"] is True
    assert report["reaction"]["kill"] == {"max_ms": 280.0, "limit_ms": 500.0, "n": 1}
    assert report["reaction"]["join"] == {"max_ms": 120.0, "limit_ms": 300.0, "n": 3}
    assert [(p["answer"], p["n"]) for p in report["answers"]] == [
        (None, 1),
        ("5", 1),
        ("5", 2),
        ("5", 1),
        (None, 2),
        ("5", 1),
    ]
    kill = report["events"][2]
    assert kill["what"] == "camera's encoder is killed"
    assert (kill["at_s"], kill["noticed_ms"], kill["limit_ms"], kill["ok"]) == (2.0, 280.0, 500.0, True)
    assert kill["weights"] == {"microphone": 1.0}
    assert report["counts"] == {"answers": 8, "judged": 2, "unknown": 0, "wrong": 0, "stale": 0}


def test_what_was_never_noticed_has_no_time_in_the_report() -> None:
    log = replace(GOOD, answers=[a for a in GOOD.answers if a.at < ms(4000)])
    assert judge(log, "5").report()["reaction"]["join"]["max_ms"] is None
