"""Bags of ROS 2 come out as they went in: same topics, types, bytes and pauses."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from robot_support import Command
from rosbags.interfaces import (
    Qos as BagQos,
)
from rosbags.interfaces import (
    QosDurability,
    QosHistory,
    QosLiveliness,
    QosReliability,
    QosTime,
)
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from transport_support import wait_until

from omnibind_ros.errors import BadRecording, ConfigError
from omnibind_ros.messages.cdr import serialise, type_hash
from omnibind_ros.messages.type_store import type_store
from omnibind_ros.modalities.image.messages import image_message
from omnibind_ros.modalities.text.messages import text_message
from omnibind_ros.play.bag import is_bag, play_bag
from omnibind_ros.transport.protocol import Offer
from omnibind_ros.transport.qos import Qos
from omnibind_ros.transport.zenoh.node import Node
from omnibind_ros.transport.zenoh.session import Network

STRING = "std_msgs/msg/String"
IMAGE = "sensor_msgs/msg/Image"
STEP_NS = 20_000_000
FOREVER = QosTime(0, 0)
LATCHED_IN_BAG = BagQos(
    QosHistory.KEEP_LAST, 1, QosReliability.RELIABLE, QosDurability.TRANSIENT_LOCAL, FOREVER, FOREVER,
    QosLiveliness.AUTOMATIC, FOREVER, False,
)  # fmt: skip
Written = list[tuple[str, str, int, bytes]]


@pytest.fixture
def node(router_port: int) -> Iterator[Node]:
    with Node("test", network=Network(router=f"tcp/127.0.0.1:{router_port}")) as node:
        yield node


def content() -> Written:
    """(topic, type, stamp, CDR) of two topics, interleaved."""
    rng = np.random.default_rng(0)
    written: Written = []
    for index in range(6):
        stamp = 1_700_000_000_000_000_000 + index * STEP_NS
        image = image_message(rng.integers(0, 255, (32, 32, 3), np.uint8), stamp, "camera")
        written.append(("/camera/image_raw", IMAGE, stamp, bytes(serialise(image, IMAGE))))
        text = text_message(f"message {index}")
        written.append(("/keyboard/text", STRING, stamp + 1, bytes(serialise(text, STRING))))
    return written


def write_bag(folder: Path, written: Written, plugin: StoragePlugin, typestore: Any = None) -> Path:
    with Writer(folder, version=9, storage_plugin=plugin) as writer:
        connections = {}
        for topic, type_name, stamp, data in written:
            if topic not in connections:
                qos = [LATCHED_IN_BAG] if type_name == STRING else []
                connections[topic] = writer.add_connection(
                    topic, type_name, typestore=typestore or type_store(), offered_qos_profiles=qos
                )
            writer.write(connections[topic], stamp, data)
    return folder


class Listener:
    """Keeps what is published on some topics, as CDR."""

    def __init__(self, node: Node, *topics: tuple[str, str]) -> None:
        self.heard: list[tuple[str, bytes]] = []
        self.published: dict[str, Offer] = {}
        for topic, type_name in topics:
            self._listen(node, topic, type_name)
            node.watch(topic, self._on_publishers)

    def _listen(self, node: Node, topic: str, type_name: str) -> None:
        def on_message(message: Any, info: Any) -> None:
            self.heard.append((topic, bytes(serialise(message, type_name))))

        node.subscribe(topic, type_name, on_message, qos=Qos(depth=100), keep="all")

    def _on_publishers(self, topic: str, offers: tuple[Offer, ...], alive: int) -> None:
        if offers:
            self.published[topic] = offers[0]

    def of(self, topic: str) -> list[bytes]:
        return [data for heard, data in list(self.heard) if heard == topic]


def sent(written: Written, topic: str) -> list[bytes]:
    return [data for to, _, _, data in written if to == topic]


def listen(node: Node) -> Listener:
    return Listener(node, ("/camera/image_raw", IMAGE), ("/keyboard/text", STRING))


@pytest.mark.parametrize("plugin", [StoragePlugin.MCAP, StoragePlugin.SQLITE3])
def test_a_bag_comes_out_as_it_went_in(node: Node, tmp_path: Path, plugin: StoragePlugin) -> None:
    written = content()
    bag = write_bag(tmp_path / "bag", written, plugin)
    file = next(path for path in bag.iterdir() if path.suffix in (".mcap", ".db3"))
    for path in (bag, file):
        assert is_bag(str(path))
        listener = listen(node)
        begun = time.monotonic()
        play_bag(node, path, threading.Event())
        assert time.monotonic() - begun >= 5 * STEP_NS / 1e9
        for topic in ("/camera/image_raw", "/keyboard/text"):
            wait_until(lambda to=topic, by=listener: len(by.of(to)) >= 6, f"all of {topic}")
            assert listener.of(topic) == sent(written, topic)
    offered = listener.published["/keyboard/text"].qos
    assert (offered.durability, offered.depth) == ("transient_local", 1)


def test_rate_loop_and_one_topic_alone(node: Node, tmp_path: Path) -> None:
    written = content()
    bag = write_bag(tmp_path / "bag", written, StoragePlugin.MCAP)
    listener, stop = listen(node), threading.Event()
    player = threading.Thread(
        target=play_bag,
        args=(node, bag, stop),
        kwargs={"rate": 10.0, "loop": True, "topic": "/keyboard/text"},
    )
    player.start()
    wait_until(lambda: len(listener.heard) >= 14, "more than two rounds")
    stop.set()
    player.join(5)
    assert not player.is_alive()
    assert listener.of("/keyboard/text")[:12] == sent(written, "/keyboard/text") * 2
    assert listener.of("/camera/image_raw") == []


def test_the_command_plays_a_bag(node: Node, router_port: int, tmp_path: Path) -> None:
    written = content()
    bag = write_bag(tmp_path / "bag", written, StoragePlugin.MCAP)
    listener = listen(node)
    assert Command("play", bag, "--rate", 2, router_port=router_port).ended() == (0, "")
    assert listener.of("/camera/image_raw") == sent(written, "/camera/image_raw")


def test_types_that_only_the_bag_knows_are_learnt_from_it(node: Node, tmp_path: Path) -> None:
    own = get_typestore(Stores.EMPTY)
    own.register(get_types_from_msg("int32 value\n", "bag_test_msgs/msg/Learnt"))
    data = bytes(
        own.serialize_cdr(own.types["bag_test_msgs/msg/Learnt"](value=7), "bag_test_msgs/msg/Learnt")
    )
    bag = write_bag(
        tmp_path / "bag", [("/odd", "bag_test_msgs/msg/Learnt", 1, data)], StoragePlugin.MCAP, own
    )
    found: list[Offer] = []
    node.watch("/odd", lambda topic, offers, alive: found.extend(offers))
    play_bag(node, bag, threading.Event())
    wait_until(lambda: found, "the topic of the learnt type")
    assert found[0].type_name == "bag_test_msgs/msg/Learnt"
    assert type_hash("bag_test_msgs/msg/Learnt") == own.hash_rihs01("bag_test_msgs/msg/Learnt")


def test_what_cannot_be_played_is_said_in_one_line(node: Node, tmp_path: Path) -> None:
    stop = threading.Event()
    with pytest.raises(BadRecording, match="no bag at"):
        play_bag(node, tmp_path / "missing.mcap", stop)
    with pytest.raises(BadRecording, match=r"ROS 1.*rosbags-convert"):
        play_bag(node, tmp_path / "old.bag", stop)
    for name in ("noise.mcap", "noise.db3"):
        (tmp_path / name).write_bytes(b"this is no bag at all")
        with pytest.raises(BadRecording, match=f"cannot read the bag .*{name}") as refused:
            play_bag(node, tmp_path / name, stop)
        assert "\n" not in str(refused.value)
    bag = write_bag(tmp_path / "bag", content(), StoragePlugin.MCAP)
    file = next(bag.glob("*.mcap"))
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    with pytest.raises(BadRecording):
        play_bag(node, bag, stop)

    other = get_typestore(Stores.EMPTY)
    other.register(get_types_from_msg("int64 data\n", STRING))
    data = bytes(other.serialize_cdr(other.types[STRING](data=1), STRING))
    clash = write_bag(tmp_path / "clash", [("/text", STRING, 1, data)], StoragePlugin.MCAP, other)
    with pytest.raises(ConfigError, match="/text is of another version of std_msgs/msg/String"):
        play_bag(node, clash, stop)
    whole = write_bag(tmp_path / "whole", content(), StoragePlugin.MCAP)
    with pytest.raises(ConfigError, match="no topic '/keyboard/txt'; did you mean '/keyboard/text'"):
        play_bag(node, whole, stop, topic="/keyboard/txt")


def test_what_is_no_path_of_a_bag_is_none(tmp_path: Path) -> None:
    assert not is_bag("digits")
    assert not is_bag(str(tmp_path))
    assert is_bag("recorded.mcap")
