"""Alarms, turns and exclusive sections, as `transport.protocol` promises them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest
from graphs import Graph
from transport_support import GENEROUS_S, wait_until

from omnibind_ros.messages.cdr import message_class
from omnibind_ros.transport.protocol import Alarm, Transport
from omnibind_ros.transport.qos import Qos

STRING = "std_msgs/msg/String"
RELIABLE = Qos(depth=100)


def wait_for_alarm(node: Transport, delay_s: float) -> None:
    """Until an alarm of the node has rung: one that was due earlier has, too."""
    rung = threading.Event()
    alarm = node.alarm(rung.set)
    alarm.set(delay_s)
    assert rung.wait(GENEROUS_S)
    alarm.close()


class Ringing:
    """When an alarm rang."""

    def __init__(self, node: Transport) -> None:
        self.at: list[float] = []
        self.alarm = node.alarm(lambda: self.at.append(time.monotonic()))


def test_an_alarm_rings_once_each_time_it_is_set(graph: Graph) -> None:
    node = graph.node()
    ringing = Ringing(node)
    wait_for_alarm(node, 0.05)
    assert ringing.at == []
    for times, delay in enumerate((0.05, 0.0, -1.0, 0.02), start=1):
        set_at = time.monotonic()
        ringing.alarm.set(delay)
        wait_until(lambda times=times: len(ringing.at) == times, "the alarm")
        assert ringing.at[-1] >= set_at + delay
    wait_for_alarm(node, 0.1)
    assert len(ringing.at) == 4


def test_a_new_time_replaces_the_one_before(graph: Graph) -> None:
    node = graph.node()
    later, sooner, never = Ringing(node), Ringing(node), Ringing(node)
    set_at = time.monotonic()
    later.alarm.set(0.02)
    later.alarm.set(0.2)
    sooner.alarm.set(1000.0)
    sooner.alarm.set(0.02)
    never.alarm.set(0.02)
    never.alarm.set(float("inf"))
    wait_until(lambda: later.at and sooner.at, "both alarms")
    assert later.at[0] >= set_at + 0.2
    assert sooner.at[0] <= later.at[0]
    wait_for_alarm(node, 0.05)
    assert (len(later.at), len(sooner.at), never.at) == (1, 1, [])


def test_a_closed_alarm_rings_no_more(graph: Graph) -> None:
    node = graph.node()
    closed, set_later = Ringing(node), Ringing(node)
    closed.alarm.set(0.02)
    closed.alarm.close()
    closed.alarm.close()
    set_later.alarm.close()
    set_later.alarm.set(0)
    wait_for_alarm(node, 0.05)
    assert closed.at == set_later.at == []


def test_an_alarm_may_be_set_and_closed_in_its_callback(graph: Graph) -> None:
    node = graph.node()
    rung = threading.Semaphore(0)
    times: list[int] = []

    def on_alarm() -> None:
        times.append(1)
        if len(times) < 3:
            alarm.set(0.01)
        else:
            alarm.close()
            alarm.set(0)
        rung.release()

    alarm = node.alarm(on_alarm)
    alarm.set(0)
    for _ in range(3):
        assert rung.acquire(timeout=GENEROUS_S)
    wait_for_alarm(node, 0.05)
    assert len(times) == 3


def test_other_threads_set_alarms_while_the_node_sleeps(graph: Graph) -> None:
    node = graph.node()
    ringing = Ringing(node)

    def set_each() -> None:
        for number in range(1, 11):
            ringing.alarm.set(0.001 * number)
            wait_until(lambda number=number: len(ringing.at) == number, "the alarm")

    thread = threading.Thread(target=set_each)
    thread.start()
    thread.join()
    assert len(ringing.at) == 10


def test_an_alarm_that_is_set_while_it_rings_rings_again(graph: Graph) -> None:
    entered, go_on = threading.Event(), threading.Event()
    calls: list[int] = []

    def on_alarm() -> None:
        calls.append(1)
        entered.set()
        assert go_on.wait(GENEROUS_S)

    alarm = graph.node().alarm(on_alarm)
    alarm.set(0)
    assert entered.wait(GENEROUS_S)
    alarm.set(0)
    go_on.set()
    wait_until(lambda: len(calls) == 2, "the second time")


def test_an_alarm_survives_its_callback(graph: Graph, caplog: pytest.LogCaptureFixture) -> None:
    calls: list[int] = []

    def on_alarm() -> None:
        calls.append(1)
        raise RuntimeError("no good")

    alarm = graph.node().alarm(on_alarm)
    for times in (1, 2):
        alarm.set(0)
        wait_until(lambda times=times: len(calls) == times, "the alarm")
    assert "no good" in caplog.records[0].getMessage()


def callbacks_of(node: Transport, other: Transport, callback: Callable[..., None]) -> list[Alarm]:
    """Let messages, publishers and alarms call `callback` again and again; the alarms."""
    node.subscribe_cdr("chatter", STRING, callback, RELIABLE)
    node.watch("*", callback)
    publisher = other.publisher("chatter", STRING, RELIABLE)
    assert publisher.wait_for_subscriber(GENEROUS_S)

    def ring() -> None:
        alarm.set(0)
        callback()

    alarm = node.alarm(ring)
    alarm.set(0)

    def talk() -> None:
        talking.set(0.002)
        publisher.publish(message_class(STRING)(data="hello"))

    talking = other.alarm(talk)
    talking.set(0)
    return [alarm, talking]


def test_callbacks_come_one_at_a_time(graph: Graph) -> None:
    node, other = graph.node(), graph.node("other")
    inside, most, kinds = 0, 0, set()

    def callback(*arguments: object) -> None:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        kinds.add(len(arguments))
        time.sleep(0.001)  # so that another thread would be seen
        inside -= 1

    alarms = callbacks_of(node, other, callback)
    wait_until(lambda: kinds == {0, 2, 3}, "alarms, messages and publishers")
    for name in "abcde":
        other.publisher(name, STRING, RELIABLE)
        wait_for_alarm(node, 0.01)
    assert most == 1
    for alarm in alarms:
        alarm.close()


def test_an_exclusive_section_is_alone_and_may_be_nested(graph: Graph) -> None:
    node, other = graph.node(), graph.node("other")
    calls = 0

    def callback(*arguments: object) -> None:
        nonlocal calls
        with node.exclusive():
            calls += 1

    alarms = callbacks_of(node, other, callback)
    wait_until(lambda: calls, "callbacks")
    for _ in range(5):
        with node.exclusive(), node.exclusive():
            before = calls
            wait_for_alarm(other, 0.02)
            assert calls == before
        wait_until(lambda before=before: calls > before, "callbacks after it")
    for alarm in alarms:
        alarm.close()
