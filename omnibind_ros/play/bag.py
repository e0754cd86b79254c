"""ROS 2 bags (.mcap, .db3, or their folder) played at their real time, messages passed on to the byte.

A bag holds CDR, which is what transports carry: nothing is decoded. Types that only the bag defines are taken
from the definitions it carries.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rosbags.highlevel import AnyReader
from rosbags.interfaces import Connection

from omnibind_ros.errors import BadRecording, ConfigError
from omnibind_ros.messages.cdr import type_hash
from omnibind_ros.messages.type_store import type_store
from omnibind_ros.names import nearest
from omnibind_ros.transport.protocol import Publisher, Transport
from omnibind_ros.transport.qos import Durability, Qos, Reliability

_SUFFIXES = (".mcap", ".db3", ".bag")
_DISCOVERY_S = 0.5


def is_bag(source: str) -> bool:
    """Whether this is the path of a bag, there or not, and no name of something else."""
    path = Path(source)
    return path.suffix in _SUFFIXES or (path / "metadata.yaml").is_file()


def play_bag(
    transport: Transport,
    path: Path,
    stop: threading.Event,
    *,
    rate: float = 1.0,
    loop: bool = False,
    topic: str | None = None,
) -> None:
    """Publish a bag's messages under their own topics and types, with the pauses they were recorded with.

    Args:
        rate: speed; 2 is twice as fast. What is in the messages, stamps too, stays as recorded.
        loop: from the beginning again, until `stop` is set.
        topic: only this one.

    Raises:
        BadRecording: no such bag, or it cannot be read.
        ConfigError: a message type that is not known here or is another version, or no such topic.
    """
    with _opened(path) as reader:
        connections = _chosen(reader.connections, topic, path)
        _learn_types(reader, connections, path)
        publishers = {c.id: transport.publisher(c.topic, c.msgtype, _offered_qos(c)) for c in connections}
        _wait_for_subscribers(publishers.values())
        while not stop.is_set():
            _play_once(reader, connections, publishers, stop, rate)
            if not loop:
                break


def _play_once(
    reader: AnyReader,
    connections: list[Connection],
    publishers: dict[int, Publisher],
    stop: threading.Event,
    rate: float,
) -> None:
    begun, first = time.monotonic(), reader.start_time
    for connection, stamp, data in _messages(reader, connections):
        due = begun + (stamp - first) / 1e9 / rate
        if stop.wait(max(0.0, due - time.monotonic())):
            return
        publishers[connection.id].publish_cdr(data)


def _messages(reader: AnyReader, connections: list[Connection]) -> Iterator[tuple[Connection, int, bytes]]:
    try:
        yield from reader.messages(connections)
    except Exception as error:  # readers of damaged files raise a dozen kinds
        raise _unreadable(reader.paths[0], error) from error


@contextmanager
def _opened(path: Path) -> Iterator[AnyReader]:
    if path.suffix == ".bag":
        raise BadRecording(f"{path} is a bag of ROS 1; turn it into one of ROS 2 with rosbags-convert")
    if not path.exists():
        raise BadRecording(f"no bag at {path}")
    try:
        reader = AnyReader([path], default_typestore=type_store())
        reader.open()
    except Exception as error:
        raise _unreadable(path, error) from error
    try:
        yield reader
    finally:
        reader.close()


def _unreadable(path: object, error: Exception) -> BadRecording:
    return BadRecording(f"cannot read the bag {path}: {' '.join(str(error).split()) or type(error).__name__}")


def _chosen(connections: list[Connection], topic: str | None, path: Path) -> list[Connection]:
    if not connections:
        raise BadRecording(f"the bag {path} holds no topics")
    topics = [connection.topic for connection in connections]
    if topic is not None and topic not in topics:
        raise ConfigError(f"the bag {path} has no topic {topic!r}{nearest(topic, topics)}")
    return [connection for connection in connections if topic in (None, connection.topic)]


def _learn_types(reader: AnyReader, connections: list[Connection], path: Path) -> None:
    store = type_store()
    store.register({n: d for n, d in reader.typestore.fielddefs.items() if n not in store.fielddefs})
    for connection in connections:
        name, where = connection.msgtype, f"the bag {path}: topic {connection.topic}"
        if name not in store.fielddefs:
            raise ConfigError(f"{where} is of the unknown type {name}, which the bag does not define")
        if name in reader.typestore.fielddefs and reader.typestore.hash_rihs01(name) != type_hash(name):
            raise ConfigError(f"{where} is of another version of {name} than is known here")


def _offered_qos(connection: Connection) -> Qos:
    """The QoS the topic was recorded with; the default where the bag does not record it."""
    ext: Any = connection.ext
    if not ext.offered_qos_profiles:
        return Qos()
    offered = ext.offered_qos_profiles[0]
    reliability: Reliability = "best_effort" if offered.reliability.name == "BEST_EFFORT" else "reliable"
    durability: Durability = "transient_local" if offered.durability.name == "TRANSIENT_LOCAL" else "volatile"
    return Qos(reliability=reliability, durability=durability, depth=max(1, offered.depth))


def _wait_for_subscribers(publishers: Iterable[Publisher]) -> None:
    """Give subscribers that are there already a moment to be found, so that they get the first messages."""
    deadline = time.monotonic() + _DISCOVERY_S
    for publisher in publishers:
        publisher.wait_for_subscriber(max(0.0, deadline - time.monotonic()))
