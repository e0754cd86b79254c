"""Nodes talking: to each other in this process, and to processes that come, go and get killed."""

from __future__ import annotations

import gc
import subprocess
import sys
import threading
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest
import transport_actor
from transport_support import GENEROUS_S, Process, free_port, wait_until

from omnibind_ros.errors import BadMessage, ConfigError
from omnibind_ros.messages.cdr import message_class, type_hash
from omnibind_ros.transport.qos import EMBEDDING, LATCHED, SENSOR_DATA, Qos
from omnibind_ros.transport.zenoh import wire
from omnibind_ros.transport.zenoh.node import Node
from omnibind_ros.transport.zenoh.publisher import Publisher
from omnibind_ros.transport.zenoh.session import Network

STRING = "std_msgs/msg/String"
RELIABLE = Qos(depth=10)
Spawn = Callable[..., Process]


def text(data: str) -> Any:
    return message_class(STRING)(data=data)


class Inbox:
    """What a subscription delivered, and an `on_message` that can be held up."""

    def __init__(self) -> None:
        self.messages: list[Any] = []
        self.infos: list[Any] = []
        self.open = threading.Event()
        self.open.set()

    def __call__(self, message: Any, info: Any) -> None:
        self.messages.append(message)
        self.infos.append(info)
        assert self.open.wait(GENEROUS_S)

    @property
    def texts(self) -> list[str]:
        return [message.data for message in self.messages]


def publish_until_both_receive(publisher: Publisher, held_up: Inbox, other: Inbox) -> None:
    """Publish "0" until a subscription whose callback is held up, and another one, have received it."""

    def both() -> bool:
        publisher.publish(text("0"))
        return bool(held_up.texts and other.texts)

    wait_until(both, "the first message")


# -------- one process


def test_message_arrives_with_its_origin(router_port: int) -> None:
    inbox = Inbox()
    with Node("talker", "/robot") as talker, Node("listener", "/robot") as listener:
        publisher = talker.publisher("chatter", STRING, RELIABLE)
        listener.subscribe("/robot/chatter", STRING, inbox, qos=RELIABLE, keep="all")
        assert publisher.wait_for_subscriber(GENEROUS_S)
        publisher.publish(text("one"))
        publisher.publish(text("two"))
        wait_until(lambda: inbox.texts == ["one", "two"], "both messages")
        first, second = inbox.infos
        assert (first.topic, first.sequence, second.sequence) == ("/robot/chatter", 1, 2)
        assert first.gid == second.gid == wire.gid_of(wire.endpoint_token(publisher.endpoint))
        assert 0 < first.stamp_ns <= second.stamp_ns
    talker.close()  # a second time, which does nothing


def test_newest_replaces_what_waits_and_losses_are_counted(router_port: int) -> None:
    inbox = Inbox()
    inbox.open.clear()
    with Node("talker") as talker, Node("listener") as listener, Node("other") as other:
        publisher = talker.publisher("chatter", STRING, RELIABLE)
        subscription = listener.subscribe("chatter", STRING, inbox, qos=RELIABLE, keep="newest")
        marker = Inbox()
        other.subscribe("chatter", STRING, marker, qos=RELIABLE, keep="all")
        publish_until_both_receive(publisher, inbox, marker)
        for number in range(1, 10):
            publisher.publish(text(str(number)))
        wait_until(lambda: marker.texts[-1] == "9", "all messages at the other subscription")
        inbox.open.set()
        wait_until(lambda: len(inbox.texts) == 2, "the newest message")
        assert inbox.texts == ["0", "9"]
        assert inbox.infos[1].lost == subscription.counts.lost >= 8
        assert subscription.counts.received == 2


def test_all_loses_nothing_until_its_depth_and_then_counts(router_port: int) -> None:
    inbox, marker = Inbox(), Inbox()
    inbox.open.clear()
    with Node("talker") as talker, Node("listener") as listener, Node("other") as other:
        publisher = talker.publisher("chatter", STRING, RELIABLE)
        subscription = listener.subscribe("chatter", STRING, inbox, qos=RELIABLE, keep="all", depth=20)
        other.subscribe("chatter", STRING, marker, qos=RELIABLE, keep="all")
        publish_until_both_receive(publisher, inbox, marker)
        for number in range(1, 31):
            publisher.publish(text(str(number)))
        wait_until(lambda: marker.texts[-1] == "30", "all messages at the other subscription")
        inbox.open.set()
        wait_until(lambda: len(inbox.texts) == 21, "the twenty that fit")
        assert inbox.texts == ["0", *map(str, range(11, 31))]
        assert inbox.infos[1].lost == subscription.counts.lost >= 10


def test_bad_messages_and_failing_callbacks_are_counted_and_survived(router_port: int) -> None:
    errors: list[tuple[str, Exception]] = []
    heard: list[str] = []

    def on_message(message: Any, info: Any) -> None:
        heard.append(message.data)
        if message.data == "bad":
            raise RuntimeError("no good")

    with Node("talker") as talker, Node("listener", on_error=lambda *error: errors.append(error)) as listener:
        publisher = talker.publisher("chatter", STRING, RELIABLE)
        subscription = listener.subscribe("chatter", STRING, on_message, qos=RELIABLE, keep="all")
        assert publisher.wait_for_subscriber(GENEROUS_S)
        endpoint = publisher.endpoint
        key = wire.data_key(42, endpoint.topic, STRING, endpoint.type_hash)
        other_version = wire.data_key(42, endpoint.topic, STRING, "RIHS01_0")
        attachment = wire.pack_attachment(wire.Attachment(1, 1, bytes(16)))
        talker._session.put(key, b"\x00\x01\x00\x00\xff\xff\xff\xffno string", attachment=attachment)
        talker._session.put(key, b"\x00\x01\x00\x00\x02\x00\x00\x00a\x00")
        talker._session.put(other_version, b"\x00\x01\x00\x00\x02\x00\x00\x00a\x00", attachment=attachment)
        publisher.publish(text("bad"))
        publisher.publish(text("good"))
        wait_until(lambda: heard == ["bad", "good"], "the message after the bad ones")
        counts = subscription.counts
        assert (counts.received, counts.malformed, counts.failed) == (2, 3, 1)
        assert [type(error) for _, error in errors] == [BadMessage, BadMessage, BadMessage, RuntimeError]
        assert "another version of std_msgs/msg/String" in str(errors[2][1])
        assert {where for where, _ in errors} == {"/chatter"}


def test_humble_publishers_are_heard(router_port: int) -> None:
    inbox = Inbox()
    with Node("robot", humble=True) as robot, Node("listener") as listener:
        publisher = robot.publisher("chatter", STRING, LATCHED)
        assert publisher.endpoint.type_hash == "TypeHashNotSupported"
        listener.subscribe("chatter", STRING, inbox, qos=LATCHED)
        publisher.publish(text("from Humble"))
        wait_until(lambda: inbox.texts == ["from Humble"], "the message without a type hash")


def test_domains_do_not_hear_each_other(router_port: int) -> None:
    here, there = Inbox(), Inbox()
    with Node("talker") as talker, Node("other", domain=7) as other:
        publisher = talker.publisher("chatter", STRING, LATCHED)
        talker.subscribe("chatter", STRING, here, qos=LATCHED)
        other.subscribe("chatter", STRING, there, qos=LATCHED)
        wrong: list[Any] = []
        other.watch("chatter", lambda *seen: wrong.append(seen))
        publisher.publish(text("private"))
        wait_until(lambda: here.texts == ["private"], "the message in its own domain")
        assert (there.texts, wrong) == ([], [])


def test_a_subscription_that_a_callback_closes_leaves_no_thread(router_port: int) -> None:
    def left() -> list[threading.Thread]:
        gc.collect()
        objects = gc.get_objects()
        return [one for one in objects if type(one) is threading.Thread and "/passing" in one.name]

    with Node("listener") as node:
        for _ in range(10):
            with node.exclusive():  # as in a callback
                node.subscribe("passing", STRING, Inbox(), qos=RELIABLE).close()
                node.watch("passing", lambda topic, offers, alive: None).close()
        wait_until(lambda: not left(), "its threads are forgotten")


def test_an_alarm_that_another_one_closes_or_defers_does_not_call(router_port: int) -> None:
    called: list[str] = []
    done = threading.Event()

    def first() -> None:
        called.append("first")
        closed.close()
        deferred.set(1000)
        last.set(0)

    with Node("clock") as node:
        with node.exclusive():
            alarm = node.alarm(first)
            closed = node.alarm(lambda: called.append("closed"))
            deferred = node.alarm(lambda: called.append("deferred"))
            last = node.alarm(done.set)
            for each in (alarm, closed, deferred):
                each.set(0)
        assert done.wait(GENEROUS_S)
        assert called == ["first"]


def test_bad_names_are_refused_before_anything_is_opened(
    router_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ConfigError, match="not a ROS name"):
        Node("no spaces")
    monkeypatch.setenv("ROS_DOMAIN_ID", "house")
    with pytest.raises(ConfigError, match=r"'house'.*ROS_DOMAIN_ID"):
        Node("node")


def test_a_node_left_open_does_not_hang_or_abort_the_interpreter(router_port: int) -> None:
    program = (
        "from omnibind_ros.transport.zenoh.node import Node\n"
        "from omnibind_ros.transport.qos import SENSOR_DATA\n"
        "node = Node('careless')\n"
        "node.subscribe('x', 'std_msgs/msg/String', print, qos=SENSOR_DATA)\n"
        "print('done')\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=GENEROUS_S
    )
    assert (result.returncode, result.stdout, result.stderr) == (0, "done\n", "")


def test_a_forked_child_refuses_instead_of_hanging(spawn: Spawn) -> None:
    assert "forked" in spawn("transport_actor", "forked").next()


# -------- several processes


def test_image_and_embedding_from_another_process(spawn: Spawn) -> None:
    images, embeddings = Inbox(), Inbox()
    camera = spawn("transport_actor", "camera")
    camera.next()
    with Node("fusion", "/robot") as node:
        node.subscribe("camera/image_raw", transport_actor.IMAGE, images, qos=SENSOR_DATA)
        node.subscribe("omnibind/camera/embedding", transport_actor.CLOUD, embeddings, qos=EMBEDDING)
        wait_until(lambda: images.messages and embeddings.messages, "an image and an embedding")
    got, sent = images.messages[0], transport_actor.image()
    assert (got.height, got.width, got.encoding, got.step) == (480, 640, "rgb8", 1920)
    assert (got.header.frame_id, got.header.stamp.nanosec) == ("camera", 123_456_789)
    np.testing.assert_array_equal(got.data, sent.data)
    vector = embeddings.messages[0].data.view("<f4")
    np.testing.assert_array_equal(vector, np.linspace(0, 1, 384, dtype=np.float32))


def test_hub_holder_killed_while_others_talk(spawn: Spawn) -> None:
    holder = spawn("transport_actor", "hold")
    assert holder.next() == {"holds_router": True}
    talker = spawn("transport_actor", "talk", "/numbers")
    assert talker.next() == {"holds_router": False}
    inbox = Inbox()
    with Node("listener") as node:
        assert not node.holds_router
        node.subscribe("/numbers", STRING, inbox, qos=RELIABLE, keep="all", depth=1000)
        wait_until(lambda: len(inbox.texts) >= 20, "numbers before")
        holder.kill()
        before = len(inbox.texts)

        newcomers: list[Any] = []
        node.watch("/meet/newcomer/here", lambda *seen: newcomers.append(seen))
        newcomer = spawn("transport_actor", "meet", "newcomer", "newcomer")
        wait_until(lambda: newcomers, "the newcomer")
        assert newcomer.next()["heard"]
        wait_until(lambda: len(inbox.texts) >= before + 50, "numbers after")
        assert inbox.texts == [
            str(number) for number in range(int(inbox.texts[0]), len(inbox.texts) + int(inbox.texts[0]))
        ]
        assert [info.lost for info in inbox.infos] == [0] * len(inbox.infos)


def test_five_started_at_once_all_meet(spawn: Spawn) -> None:
    everybody = "abcde"
    guests = [spawn("transport_actor", "meet", guest, ",".join(everybody)) for guest in everybody]
    reports = [guest.next(60.0) for guest in guests]
    assert all(report["found"] and report["heard"] for report in reports), reports
    assert sum(report["holds_router"] for report in reports) == 1


@pytest.mark.parametrize("first", ["listening", "connecting"])
def test_two_machines(first: str, router_port: int) -> None:
    """Two hubs, as on two machines: one listens on a further address, the other connects to it."""
    meeting = f"tcp/127.0.0.1:{free_port()}"
    networks = {
        "listening": Network(listen=[meeting]),
        "connecting": Network(router=f"tcp/127.0.0.1:{free_port()}", connect=[meeting]),
    }
    second = next(side for side in networks if side != first)
    with Node(first, network=networks[first]) as one, Node(second, network=networks[second]) as two:
        assert one.holds_router and two.holds_router
        for talker, listener in ((one, two), (two, one)):
            inbox, changes = Inbox(), []
            publisher = talker.publisher(f"from_{talker.id.name}", STRING, LATCHED)
            listener.subscribe(f"from_{talker.id.name}", STRING, inbox, qos=LATCHED)
            listener.watch(f"from_{talker.id.name}", lambda *seen, to=changes: to.append(seen))
            publisher.publish(text("across"))
            wait_until(lambda inbox=inbox: inbox.texts == ["across"], "the message from the other machine")
            wait_until(lambda changes=changes: changes, "the publisher on the other machine")


# -------- the witness

needs_witness = pytest.mark.skipif(
    find_spec("zenoh_ros2_sdk") is None, reason="could not find 'zenoh_ros2_sdk', the witness"
)


@needs_witness
def test_an_independent_implementation_lists_and_hears_us(spawn: Spawn, router_port: int) -> None:
    type_name, topic = "vision_msgs/msg/Classification", "/robot/omnibind/recognition"
    with Node("fusion", "/robot") as node:
        publisher = node.publisher("omnibind/recognition", type_name, RELIABLE)
        witness = spawn("transport_witness", "listen", router_port, topic, type_hash(type_name))
        assert publisher.wait_for_subscriber(GENEROUS_S)
        header = message_class("std_msgs/msg/Header")(
            stamp=message_class("builtin_interfaces/msg/Time")(sec=1, nanosec=2), frame_id="base_link"
        )
        result = message_class("vision_msgs/msg/ObjectHypothesis")(class_id="three", score=0.75)
        publisher.publish(message_class(type_name)(header=header, results=[result]))
        assert witness.next() == [["three", 0.75]]

        command = [
            sys.executable,
            "-m",
            "zenoh_ros2_sdk.cli",
            "--no-daemon",
            "--router",
            f"127.0.0.1:{router_port}",
            "topic",
            "list",
            "--show-types",
        ]
        wait_until(
            lambda: (
                f"{topic} [{type_name}]" in subprocess.run(command, capture_output=True, text=True).stdout
            ),
            "our topic in the other implementation's list",
        )


@needs_witness
def test_we_find_and_hear_an_independent_implementation(spawn: Spawn, router_port: int) -> None:
    inbox, changes = Inbox(), []
    with Node("listener") as node:
        node.subscribe("/hello", STRING, inbox, qos=RELIABLE)
        node.watch("/hello", lambda topic, offers, alive: changes.extend(offers))
        spawn("transport_witness", "talk", router_port, "/hello")
        wait_until(lambda: inbox.texts, "its message")
        assert inbox.texts[0] == "hello from elsewhere"
        wait_until(lambda: changes, "its publisher")
        assert changes[0].type_name == STRING
