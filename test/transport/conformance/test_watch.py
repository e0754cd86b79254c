"""Watching who publishes, as `transport.protocol` promises it."""

from __future__ import annotations

import os
import signal
import threading
import time
from typing import Any

import pytest
from graphs import Graph
from transport_support import wait_until

from omnibind_ros.transport.protocol import Offer
from omnibind_ros.transport.qos import EMBEDDING, SENSOR_DATA, Qos

STRING, INT = "std_msgs/msg/String", "std_msgs/msg/Int32"
RELIABLE = Qos(depth=10)

Seen = tuple[str, list[tuple[str, str, str]], int]


class Observer:
    """What a watch reported: topic, (type, reliability, durability) of each offer, number alive."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []

    def __call__(self, topic: str, offers: tuple[Offer, ...], alive: int) -> None:
        kinds = sorted((offer.type_name, offer.qos.reliability, offer.qos.durability) for offer in offers)
        self.seen.append((topic, kinds, alive))

    def wait_for(self, *expected: Seen) -> None:
        wait_until(lambda: len(self.seen) >= len(expected), f"{expected}, not only {self.seen}")
        assert self.seen == list(expected)


LATCHED_STRING = (STRING, "reliable", "transient_local")
CAMERA, MICROPHONE = "/robot/omnibind/cam/embedding", "/robot/omnibind/mic/embedding"


def test_publishers_that_are_there_come_and_go_are_reported(graph: Graph) -> None:
    observer = Observer()
    fusion, encoder = graph.node("fusion", "/robot"), graph.node("encoder_cam", "/robot")
    early = encoder.publisher("omnibind/cam/embedding", STRING, EMBEDDING)
    fusion.watch("omnibind/*/embedding", observer)
    story: list[Seen] = [(CAMERA, [LATCHED_STRING], 1)]
    observer.wait_for(*story)
    # Of these only the last matches.
    encoder.publisher("omnibind/cam/embedding/raw", STRING, RELIABLE)
    encoder.publisher("omnibind/recognition", STRING, RELIABLE)
    graph.node("stranger").publisher("omnibind/cam/embedding", STRING, RELIABLE)
    late = encoder.publisher("omnibind/mic/embedding", STRING, EMBEDDING)
    story.append((MICROPHONE, [LATCHED_STRING], 1))
    observer.wait_for(*story)
    second = encoder.publisher("omnibind/cam/embedding", STRING, EMBEDDING)
    story.append((CAMERA, [LATCHED_STRING] * 2, 2))
    observer.wait_for(*story)
    early.close()
    story.append((CAMERA, [LATCHED_STRING], 1))
    observer.wait_for(*story)
    second.close()
    story.append((CAMERA, [], 0))
    observer.wait_for(*story)
    late.close()
    story.append((MICROPHONE, [], 0))
    observer.wait_for(*story)


def test_types_and_qos_are_those_of_each_publisher(graph: Graph) -> None:
    observer = Observer()
    graph.node("one").publisher("raw", STRING, SENSOR_DATA)
    graph.node("watcher").watch("/raw", observer)
    story: list[Seen] = [("/raw", [(STRING, "best_effort", "volatile")], 1)]
    observer.wait_for(*story)
    graph.node("two").publisher("raw", INT, RELIABLE)
    story.append(("/raw", [(INT, "reliable", "volatile"), *story[0][1]], 2))
    observer.wait_for(*story)


def test_a_publisher_that_is_replaced_by_one_of_another_type_is_reported(graph: Graph) -> None:
    seen: list[str] = []
    node = graph.node()
    graph.node("watcher").watch("raw", lambda topic, offers, alive: seen.extend(o.type_name for o in offers))
    first = node.publisher("raw", STRING, RELIABLE)
    wait_until(lambda: seen[-1:] == [STRING], "the first publisher")
    first.close()
    node.publisher("raw", INT, RELIABLE)
    wait_until(lambda: seen[-1:] == [INT], "the other publisher")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=["killed", "terminated"])
def test_a_process_that_ends_is_alive_no_more(graph: Graph, number: int) -> None:
    alive: list[int] = []
    node = graph.node()
    heard = threading.Event()
    node.subscribe_cdr("text", STRING, lambda payload, lost: heard.set(), EMBEDDING)
    node.watch("text", lambda topic, offers, count: alive.append(count))
    for _ in range(2):
        process = graph.process("publish", "text", "embedding", "hello")
        pid = process.next()
        wait_until(lambda: alive[-1:] == [1], "the process")
        wait_until(heard.is_set, "its message")
        ended = time.monotonic()
        os.kill(pid, number)
        wait_until(lambda: alive[-1] == 0, "its end")
        took = time.monotonic() - ended
        print(f"\n    {graph.middleware.name}: {signal.Signals(number).name}: {took * 1e3:.0f} ms", end="")
        assert took < 5  # a graph that is told nothing would list it for 10 s
        heard.clear()


def test_a_failing_callback_is_called_again(graph: Graph, caplog: pytest.LogCaptureFixture) -> None:
    calls: list[int] = []

    def on_offers(topic: str, offers: tuple[Offer, ...], alive: int) -> None:
        calls.append(alive)
        raise RuntimeError("no good")

    graph.node("watcher").watch("failing", on_offers)
    publisher = graph.node().publisher("failing", STRING, RELIABLE)
    wait_until(lambda: calls == [1], "the publisher")
    publisher.close()
    wait_until(lambda: calls == [1, 0], "its end")
    assert "no good" in caplog.records[0].getMessage()


def test_a_watch_reports_nothing_after_its_close_not_even_from_its_callback(graph: Graph) -> None:
    node, watcher = graph.node(), graph.node("watcher")
    calls: list[str] = []

    def once(topic: str, offers: Any, alive: int) -> None:
        calls.append(topic)
        watch.close()

    closed, marker = Observer(), Observer()
    watcher.watch("*", closed).close()
    with watcher.exclusive():
        watch = watcher.watch("*", once)
    watcher.watch("*", marker)
    for topic in ("one", "two", "three"):
        node.publisher(topic, STRING, RELIABLE)
    wait_until(lambda: {topic for topic, _, _ in marker.seen} >= {"/one", "/two", "/three"}, "all three")
    watch.close()
    assert len(calls) == 1
    assert closed.seen == []
