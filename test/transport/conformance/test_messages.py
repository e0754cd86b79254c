"""Publishing and subscribing, as `transport.protocol` promises it."""

from __future__ import annotations

import logging
import threading
import time
from typing import Any

import numpy as np
import pytest
from graphs import Graph
from transport_support import GENEROUS_S, wait_until

from omnibind_ros.errors import BadMessage, ConfigError
from omnibind_ros.messages.cdr import deserialise, message_class, serialise
from omnibind_ros.modalities.image.messages import image_message
from omnibind_ros.transport.protocol import subscribe
from omnibind_ros.transport.qos import LATCHED, SENSOR_DATA, Qos

STRING, IMAGE = "std_msgs/msg/String", "sensor_msgs/msg/Image"
RELIABLE = Qos(depth=100)


def text(data: str) -> Any:
    return message_class(STRING)(data=data)


class Inbox:
    """What a subscription delivered, as an `on_payload` that can be held up."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.lost: list[int] = []
        self.open = threading.Event()
        self.open.set()

    def __call__(self, payload: bytes, lost: int) -> None:
        self.texts.append(deserialise(payload, STRING).data)
        self.lost.append(lost)
        assert self.open.wait(GENEROUS_S)


def test_a_message_arrives_as_cdr_in_both_directions(graph: Graph) -> None:
    one, other = graph.node("one"), graph.node("other")
    pixels = np.random.default_rng(0).integers(0, 255, (48, 64, 3), np.uint8)
    sent = image_message(pixels, time.time_ns(), "camera")
    for talker, listener, topic in ((one, other, "there"), (other, one, "back")):
        got: list[bytes] = []
        listener.subscribe_cdr(topic, IMAGE, lambda payload, lost, to=got: to.append(payload), RELIABLE)
        publisher = talker.publisher(topic, IMAGE, RELIABLE)
        assert publisher.wait_for_subscriber(GENEROUS_S)
        payload = serialise(sent, IMAGE)
        publisher.publish(sent)
        for each in (bytes(payload), payload, memoryview(payload)):
            publisher.publish_cdr(each)
        wait_until(lambda got=got: len(got) == 4, "four messages")
        assert all(bytes(each) == payload for each in got)
        image = deserialise(got[0], IMAGE)
        assert (image.header.frame_id, image.width, image.encoding) == ("camera", 64, "rgb8")
        np.testing.assert_array_equal(image.data, pixels.reshape(-1))


def test_a_late_subscriber_gets_the_newest_latched_message(graph: Graph) -> None:
    inbox, talker = Inbox(), graph.node("talker")
    publisher = talker.publisher("text", STRING, LATCHED)
    publisher.publish(text("old"))
    publisher.publish(text("new"))
    graph.node("late").subscribe_cdr("text", STRING, inbox, LATCHED)
    wait_until(lambda: inbox.texts, "the latched message")
    publisher.publish(text("next"))
    wait_until(lambda: inbox.texts == ["new", "next"], "the next one")


def test_a_late_subscriber_gets_a_latched_message_of_another_process(graph: Graph) -> None:
    inbox = Inbox()
    graph.process("publish", "text", "latched", "hello").next()
    graph.node("late").subscribe_cdr("text", STRING, inbox, LATCHED)
    wait_until(lambda: inbox.texts, "the latched message")
    assert set(inbox.texts) == {"hello"}


def test_a_volatile_publisher_keeps_nothing_for_late_subscribers(graph: Graph) -> None:
    inbox, publisher = Inbox(), graph.node("talker").publisher("text", STRING, RELIABLE)
    publisher.publish(text("before"))
    graph.node("late").subscribe_cdr("text", STRING, inbox, RELIABLE)
    assert publisher.wait_for_subscriber(GENEROUS_S)
    publisher.publish(text("after"))
    wait_until(lambda: inbox.texts, "a message")
    assert inbox.texts == ["after"]


def test_topic_names_are_relative_to_the_namespace(graph: Graph) -> None:
    inside, outside, elsewhere = Inbox(), Inbox(), Inbox()
    one, two = graph.node("one", "/robot"), graph.node("two", "/other")
    assert (one.name, one.namespace, graph.node("three").namespace) == ("one", "/robot", "/")
    assert one.full_name("a/b") == "/robot/a/b"
    assert one.full_name("/a/b") == "/a/b"
    assert one.full_name("~/a") == "/robot/one/a"
    assert one.publisher("~/a", STRING, RELIABLE).topic == "/robot/one/a"
    one.subscribe_cdr("chatter", STRING, inside, LATCHED)
    two.subscribe_cdr("/robot/chatter", STRING, outside, LATCHED)
    two.subscribe_cdr("chatter", STRING, elsewhere, LATCHED)
    publisher = one.publisher("chatter", STRING, LATCHED)
    assert publisher.topic == "/robot/chatter"
    publisher.publish(text("hello"))
    own = two.publisher("chatter", STRING, LATCHED)
    own.publish(text("own"))
    wait_until(lambda: inside.texts and outside.texts and elsewhere.texts, "all three")
    assert (inside.texts, outside.texts, elsewhere.texts) == (["hello"], ["hello"], ["own"])


def test_only_as_many_messages_wait_as_the_depth_allows(graph: Graph) -> None:
    inbox, marker = Inbox(), Inbox()
    inbox.open.clear()
    publisher = graph.node("talker").publisher("chatter", STRING, RELIABLE)
    slow = graph.node("slow").subscribe_cdr("chatter", STRING, inbox, Qos(depth=5))
    graph.node("marker").subscribe_cdr("chatter", STRING, marker, RELIABLE)

    def first() -> bool:
        publisher.publish(text("first"))
        return bool(inbox.texts and marker.texts)

    wait_until(first, "the first message")
    for number in range(20):
        publisher.publish(text(str(number)))
    wait_until(lambda: marker.texts[-1] == "19", "all messages at the other subscription")
    graph.middleware.wait_until_received(publisher)
    inbox.open.set()
    wait_until(lambda: inbox.texts[-1] == "19", "the newest message")
    assert inbox.texts == ["first", *map(str, range(15, 20))]
    counts = slow.counts
    assert counts.received == 6
    assert counts.lost == sum(inbox.lost)
    if graph.middleware.counts_replaced:
        assert inbox.lost[1] == counts.lost >= 15


def test_a_failing_callback_is_counted_reported_and_called_again(
    graph: Graph, caplog: pytest.LogCaptureFixture
) -> None:
    heard: list[bytes] = []

    def on_payload(payload: bytes, lost: int) -> None:
        heard.append(payload)
        if len(heard) == 1:
            raise RuntimeError("no good")

    publisher = graph.node("talker").publisher("chatter", STRING, RELIABLE)
    subscription = graph.node("listener").subscribe_cdr("chatter", STRING, on_payload, RELIABLE)
    assert publisher.wait_for_subscriber(GENEROUS_S)
    publisher.publish(text("bad"))
    publisher.publish(text("good"))
    wait_until(lambda: len(heard) == 2, "the message after the bad one")
    assert (subscription.counts.received, subscription.counts.failed) == (2, 1)
    (record,) = caplog.records
    assert "/chatter" in record.getMessage() and "no good" in record.getMessage()


def test_a_message_that_is_not_of_its_type_is_reported_and_the_next_is_decoded(
    graph: Graph, caplog: pytest.LogCaptureFixture
) -> None:
    heard: list[str] = []
    publisher = graph.node("talker").publisher("chatter", STRING, RELIABLE)
    listener = graph.node("listener")
    subscription = subscribe(
        listener, "chatter", STRING, lambda message: heard.append(message.data), RELIABLE
    )
    assert publisher.wait_for_subscriber(GENEROUS_S)
    publisher.publish_cdr(b"\x00\x01\x00\x00\xff\xff\xff\x7fno string")
    publisher.publish(text("good"))
    wait_until(lambda: heard == ["good"], "the message after the bad one")
    assert subscription.counts.received == 2
    assert [record for record in caplog.records if "chatter" in record.getMessage()]


def test_a_message_that_does_not_fit_is_refused(graph: Graph) -> None:
    publisher = graph.node().publisher("chatter", STRING, RELIABLE)
    with pytest.raises(BadMessage, match="std_msgs/msg/String"):
        publisher.publish(message_class("std_msgs/msg/Int32")(data=3))


@pytest.mark.parametrize("topic", ["no spaces", "", "trailing/", "1st", "a//b", "a*b"])
def test_a_bad_topic_name_is_refused(graph: Graph, topic: str) -> None:
    node = graph.node()
    for use in (
        lambda: node.full_name(topic),
        lambda: node.publisher(topic, STRING, RELIABLE),
        lambda: node.subscribe_cdr(topic, STRING, print, RELIABLE),
        lambda: node.watch(topic.replace("*", "//"), print),
    ):
        with pytest.raises(ConfigError, match="is not a ROS name"):
            use()


def test_an_unknown_type_is_refused_with_the_nearest(graph: Graph) -> None:
    node = graph.node()
    for use in (
        lambda: node.publisher("x", "std_msgs/msg/Strong", RELIABLE),
        lambda: node.subscribe_cdr("x", "std_msgs/msg/Strong", print, RELIABLE),
    ):
        with pytest.raises(ConfigError, match="did you mean 'std_msgs/msg/String'"):
            use()


def test_a_publisher_can_wait_for_a_subscriber(graph: Graph) -> None:
    talker, listener = graph.node("talker"), graph.node("listener")
    publisher = talker.publisher("chatter", STRING, RELIABLE)
    assert not publisher.wait_for_subscriber(0.05)
    listener.subscribe_cdr("chatter", STRING, Inbox(), RELIABLE)
    assert publisher.wait_for_subscriber(GENEROUS_S)
    for qos in (LATCHED, SENSOR_DATA):
        topic = f"text/{qos.reliability}"
        other = talker.publisher(topic, STRING, qos)
        assert not other.wait_for_subscriber(0.05)
        listener.subscribe_cdr(topic, STRING, Inbox(), qos)
        assert other.wait_for_subscriber(GENEROUS_S)


def test_one_publisher_serves_many_threads(graph: Graph) -> None:
    inbox = Inbox()
    graph.node("listener").subscribe_cdr("chatter", STRING, inbox, RELIABLE)
    publisher = graph.node("talker").publisher("chatter", STRING, RELIABLE)
    assert publisher.wait_for_subscriber(GENEROUS_S)

    def talk(thread: int) -> None:
        for number in range(10):
            publisher.publish(text(f"{thread}{number}"))

    threads = [threading.Thread(target=talk, args=(thread,)) for thread in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wait_until(lambda: len(inbox.texts) == 40, "all messages")
    assert len(set(inbox.texts)) == 40


def test_nothing_is_delivered_after_a_close(graph: Graph) -> None:
    closed, marker = Inbox(), Inbox()
    talker, listener = graph.node("talker"), graph.node("listener")
    publisher = talker.publisher("chatter", STRING, RELIABLE)
    other = talker.publisher("chatter", STRING, RELIABLE)
    subscription = listener.subscribe_cdr("chatter", STRING, closed, RELIABLE)
    listener.subscribe_cdr("chatter", STRING, marker, RELIABLE)

    def both_hear() -> bool:
        publisher.publish(text("before"))
        return bool(closed.texts and marker.texts)

    wait_until(both_hear, "both subscriptions")
    subscription.close()
    subscription.close()
    heard = len(closed.texts)
    publisher.close()
    publisher.close()
    publisher.publish(text("from a closed publisher"))
    assert not publisher.wait_for_subscriber(0)
    other.publish(text("after"))
    wait_until(lambda: marker.texts[-1] == "after", "the open subscription")
    assert len(closed.texts) == heard
    assert set(marker.texts) == {"before", "after"}


def test_a_subscription_can_be_closed_and_made_again_in_its_callback(graph: Graph) -> None:
    listener = graph.node("listener")
    publisher = graph.node("talker").publisher("chatter", STRING, LATCHED)
    again = Inbox()
    calls: list[object] = []

    def once(payload: bytes, lost: int) -> None:
        calls.append(payload)
        subscription.close()
        mute.close()
        listener.subscribe_cdr("chatter", STRING, again, LATCHED)

    mute = listener.publisher("mute", STRING, LATCHED)
    with listener.exclusive():
        subscription = listener.subscribe_cdr("chatter", STRING, once, LATCHED)
    publisher.publish(text("one"))
    wait_until(lambda: again.texts, "the second subscription")
    publisher.publish(text("two"))
    wait_until(lambda: again.texts[-1] == "two", "the next message")
    assert len(calls) == 1


def test_an_error_is_reported_with_its_place(graph: Graph, caplog: pytest.LogCaptureFixture) -> None:
    graph.node().report_error("/some/topic", BadMessage("it is too short"))
    (record,) = caplog.records
    assert record.levelno >= logging.WARNING
    assert "/some/topic" in record.getMessage() and "it is too short" in record.getMessage()


def test_the_time_is_that_of_the_clock(graph: Graph) -> None:
    node = graph.node()
    before = time.time_ns()
    now = node.now()
    assert before - 1_000_000 <= now <= time.time_ns() + 1_000_000
