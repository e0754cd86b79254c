"""The wire format of `rmw_zenoh` (since April 2025): names in, strings and bytes out, and back.

    data key    <domain>/<topic>/<dds type>/<type hash>
    node token  @ros2_lv/<domain>/<zid>/<nid>/<nid>/NN/<enclave>/<namespace>/<node>
    endpoint    @ros2_lv/<domain>/<zid>/<nid>/<eid>/<kind>/<enclave>/<namespace>/<node>
                    /<topic>/<dds type>/<hash>/<qos>
    attachment  sequence int64, source time int64 ns, length 16, gid[16]; little endian

In tokens, `/` inside a name becomes `%`. A token says that a node or endpoint exists; it vanishes with its
process. Parsers accept further segments, which newer versions append.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Literal, TypeVar, cast, get_args

import xxhash

from omnibind_ros.errors import BadMessage
from omnibind_ros.transport.qos import (
    INFINITE_NS,
    Durability,
    History,
    Liveliness,
    Qos,
    Reliability,
)

ADMIN_SPACE = "@ros2_lv"
NO_TYPE_HASH = "TypeHashNotSupported"  # what ROS 2 Humble has in place of a hash
GID_SIZE = 16

Kind = Literal["MP", "MS", "SS", "SC"]  # message publisher, subscriber; service server, client

_ATTACHMENT = struct.Struct(f"<qqB{GID_SIZE}s")
_SECOND = 1_000_000_000
_C = TypeVar("_C", bound=str)


# -------- names


def dds_type(type_name: str) -> str:
    """`sensor_msgs/msg/Image` -> `sensor_msgs::msg::dds_::Image_`."""
    *packages, name = type_name.split("/")
    return "::".join([*packages, "dds_", f"{name}_"])


def ros_type(dds_type_name: str) -> str:
    """`sensor_msgs::msg::dds_::Image_` -> `sensor_msgs/msg/Image`."""
    return dds_type_name.replace("::dds_::", "::").removesuffix("_").replace("::", "/")


def data_key(domain: int, topic: str, type_name: str, type_hash: str) -> str:
    """The key a topic's messages travel under; `*` as `type_hash` subscribes to any version of the type."""
    return f"{domain}/{topic.strip('/')}/{dds_type(type_name)}/{type_hash}"


# -------- tokens


@dataclass(frozen=True)
class NodeId:
    """A node: one per Zenoh session here (`nid` 0); `zid` is the session's id in hex."""

    domain: int
    zid: str
    nid: int
    name: str
    namespace: str = "/"
    enclave: str = "/"


@dataclass(frozen=True)
class Endpoint:
    """A publisher, subscriber, service server or client of a node."""

    node: NodeId
    eid: int
    kind: Kind
    topic: str
    type_name: str
    type_hash: str
    qos: Qos


def node_token(node: NodeId) -> str:
    return _head(node, node.nid, "NN")


def endpoint_token(endpoint: Endpoint) -> str:
    return "/".join(
        [
            _head(endpoint.node, endpoint.eid, endpoint.kind),
            _mangle(endpoint.topic),
            dds_type(endpoint.type_name),
            endpoint.type_hash,
            qos_text(endpoint.qos),
        ]
    )


def parse_token(token: str) -> NodeId | Endpoint:
    """The node or endpoint that a liveliness token stands for.

    Raises:
        BadMessage: not a token of this format.
    """
    parts = token.split("/")
    if len(parts) < 9 or parts[0] != ADMIN_SPACE or not all(parts):
        raise BadMessage(
            f"liveliness token {token!r} is not '{ADMIN_SPACE}/<domain>/...' with 9 parts or more"
        )
    domain, zid, nid, eid, kind, enclave, namespace, name = parts[1:9]
    node = NodeId(
        _number(domain, token),
        zid,
        _number(nid, token),
        _demangle(name),
        _demangle(namespace),
        _demangle(enclave),
    )
    if kind == "NN":
        return node
    if kind not in get_args(Kind) or len(parts) < 13:
        raise BadMessage(f"liveliness token {token!r} is neither a node's nor a complete endpoint's")
    topic, dds_type_name, type_hash, qos = parts[9:13]
    return Endpoint(
        node,
        _number(eid, token),
        cast(Kind, kind),
        _demangle(topic),
        ros_type(dds_type_name),
        type_hash,
        parse_qos(qos),
    )


def publishers_pattern(domain: int, topic_pattern: str) -> str:
    """Key expression of the tokens of all publishers of a topic; `*` in it stands for a part of the name.

    Zenoh's `$*` also crosses a mangled `/`: check what comes with `topic_names.topic_matches`.
    """
    return f"{ADMIN_SPACE}/{domain}/*/*/*/MP/*/*/*/{_mangle(topic_pattern).replace('*', '$*')}/**"


def gid_of(token: str) -> bytes:
    """An endpoint's 16-byte global id: XXH3-128 of its token, low 64 bits first, little endian."""
    return xxhash.xxh3_128_intdigest(token.encode()).to_bytes(GID_SIZE, "little")


# -------- QoS

_RELIABILITY: dict[Reliability, int] = {"reliable": 1, "best_effort": 2}
_DURABILITY: dict[Durability, int] = {"transient_local": 1, "volatile": 2}
_HISTORY: dict[History, int] = {"keep_last": 1, "keep_all": 2}
_LIVELINESS: dict[Liveliness, int] = {"automatic": 1, "manual_by_node": 2, "manual_by_topic": 3}
_UNSAID = Qos(durability="volatile", depth=42)  # what an empty field stands for


def qos_text(qos: Qos) -> str:
    """`<rel>:<dur>:<hist>,<depth>:<deadline s>,<ns>:<lifespan s>,<ns>:<liveliness>,<lease s>,<ns>`.

    A value equal to rmw_zenoh's default is left empty.
    """

    def choice(codes: dict[_C, int], value: _C, default: _C) -> str:
        return "" if value == default else str(codes[value])

    def duration(value: int) -> str:
        pairs = zip(divmod(value, _SECOND), divmod(INFINITE_NS, _SECOND), strict=True)
        return ",".join("" if number == default else str(number) for number, default in pairs)

    depth = "" if qos.depth == _UNSAID.depth else str(qos.depth)
    return ":".join(
        [
            choice(_RELIABILITY, qos.reliability, _UNSAID.reliability),
            choice(_DURABILITY, qos.durability, _UNSAID.durability),
            f"{choice(_HISTORY, qos.history, _UNSAID.history)},{depth}",
            duration(qos.deadline_ns),
            duration(qos.lifespan_ns),
            f"{choice(_LIVELINESS, qos.liveliness, _UNSAID.liveliness)},{duration(qos.lease_ns)}",
        ]
    )


def parse_qos(text: str) -> Qos:
    """The inverse of `qos_text`; code 0 (system default) reads as empty.

    Raises:
        BadMessage: not six fields of the right numbers.
    """
    try:
        reliability, durability, history, deadline, lifespan, liveliness = text.split(":")[:6]
        history, depth = history.split(",")[:2]
        liveliness, *lease = liveliness.split(",")[:3]
        return Qos(
            _choice(_RELIABILITY, reliability, _UNSAID.reliability),
            _choice(_DURABILITY, durability, _UNSAID.durability),
            _choice(_HISTORY, history, _UNSAID.history),
            _number(depth, text) if depth else _UNSAID.depth,
            _duration(deadline.split(","), text),
            _duration(lifespan.split(","), text),
            _choice(_LIVELINESS, liveliness, _UNSAID.liveliness),
            _duration(lease, text),
        )
    except (ValueError, KeyError) as error:
        raise BadMessage(
            f"QoS {text!r} is not '<rel>:<dur>:<hist>,<depth>:<s>,<ns>:<s>,<ns>:<liv>,<s>,<ns>'"
        ) from error


# -------- attachment


@dataclass(frozen=True)
class Attachment:
    """What goes with every message: its number from 1 up, when it was sent (ns), and the sender's gid."""

    sequence: int
    stamp_ns: int
    gid: bytes


def pack_attachment(attachment: Attachment) -> bytes:
    return _ATTACHMENT.pack(attachment.sequence, attachment.stamp_ns, GID_SIZE, attachment.gid)


def unpack_attachment(data: bytes) -> Attachment:
    """The inverse of `pack_attachment`; further bytes are ignored.

    Raises:
        BadMessage: too short, or its gid is not 16 bytes long.
    """
    if len(data) < _ATTACHMENT.size or data[16] != GID_SIZE:
        raise BadMessage(
            f"attachment of {len(data)} bytes is not that of a ROS 2 message (33 bytes with a 16-byte gid)"
        )
    sequence, stamp_ns, _, gid = _ATTACHMENT.unpack_from(data)
    return Attachment(sequence, stamp_ns, gid)


# -------- pieces


def _head(node: NodeId, eid: int, kind: str) -> str:
    return "/".join(
        [
            ADMIN_SPACE,
            str(node.domain),
            node.zid,
            str(node.nid),
            str(eid),
            kind,
            _mangle(node.enclave),
            _mangle(node.namespace),
            node.name,
        ]
    )


def _mangle(name: str) -> str:
    return name.replace("/", "%")


def _demangle(name: str) -> str:
    return name.replace("%", "/")


def _choice(codes: dict[_C, int], text: str, default: _C) -> _C:
    if text in ("", "0"):
        return default
    return {str(code): value for value, code in codes.items()}[text]


def _duration(fields: list[str], source: str) -> int:
    seconds, nanoseconds = (
        _number(field, source) if field else unsaid
        for field, unsaid in zip(fields, divmod(INFINITE_NS, _SECOND), strict=True)
    )
    return seconds * _SECOND + nanoseconds


def _number(text: str, source: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise BadMessage(f"{text!r} in {source!r} is not a number")
    return int(text)
