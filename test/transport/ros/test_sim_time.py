"""Simulated time: nothing publishes it, a bag does, the bag starts over."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from ros_robot import Robot
from tiny_bundle import LABELS

from omnibind_ros.messages.cdr import message_class
from omnibind_ros.messages.stamps import ns_to_time, stamp_of
from omnibind_ros.transport.qos import Qos

CLOCK = "rosgraph_msgs/msg/Clock"

RECORDED = 1_000 * 10**9
"""When the bag was recorded, ns."""
TICK_S = 0.02


class Bag:
    """Publishes the time on /clock as `ros2 bag play --clock` does, 1x."""

    def __init__(self, robot: Robot) -> None:
        self.now = RECORDED
        self._publisher = robot.transport.publisher("/clock", CLOCK, Qos())
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def begin_again(self) -> None:
        self.now = RECORDED

    def end(self) -> None:
        self._stop.set()
        self._thread.join()
        self._publisher.close()

    def _run(self) -> None:
        while not self._stop.wait(TICK_S):
            self.now += round(TICK_S * 1e9)
            self._publisher.publish(message_class(CLOCK)(clock=ns_to_time(self.now)))


@pytest.fixture
def robot(bundle: Path) -> Iterator[Robot]:
    with Robot(bundle, "simulated", sim_time=True) as robot:
        yield robot


def test_a_bag_that_loops(robot: Robot) -> None:
    robot.encoder("eye")
    waiting = "use_sim_time is set, and nothing publishes /clock"
    for node, subject in (("fusion", "recognition"), ("encoder_eye", "eye")):
        assert robot.witness.reports_text(robot.status_name(node, subject), waiting)["level"] == "3"

    bag = robot.add(Bag(robot))
    camera = robot.camera("eye", 2, clock=lambda: bag.now)
    robot.witness.until_answer("eye", LABELS[2])
    answer = robot.witness.next_answer(lambda message: bool(message.results))
    assert RECORDED < stamp_of(answer) <= bag.now
    # Far enough that it cannot be taken for jitter, here or by anybody who stamps.
    first_round = RECORDED + 3 * 10**9
    robot.witness.next_answer(lambda message: stamp_of(message) > first_round)

    bag.begin_again()
    again = robot.witness.next_answer(
        lambda message: bool(message.results) and stamp_of(message) < first_round
    )
    assert stamp_of(again) >= RECORDED
    robot.fusion.prints("the clock jumped")
    robot.fusion_reports("eye", lambda values: values["state"] == "live")

    # Without its camera nothing is left of the first round.
    camera.hangs.set()
    bag.begin_again()
    robot.witness.next_answer(lambda message: not message.results)
    camera.hangs.clear()
    robot.witness.next_answer(lambda message: bool(message.results))
