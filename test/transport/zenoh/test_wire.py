"""The wire format against literal strings as rmw_zenoh sends them, and round trips of everything else."""

from __future__ import annotations

import string
from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnibind_ros.errors import BadMessage
from omnibind_ros.transport.qos import EMBEDDING, LATCHED, SENSOR_DATA, Qos, recognition_qos
from omnibind_ros.transport.zenoh import wire

HASH = "RIHS01_df668c740482bbd48fb39d76a70dfd4bd59db1288021743503259e948f6b1a18"
TALKER = wire.NodeId(0, "aac3178e146ba6f1fc6e6a4085e77f21", 0, "talker")
CHATTER = wire.Endpoint(TALKER, 10, "MP", "/chatter", "std_msgs/msg/String", HASH, Qos(depth=10))
CHATTER_TOKEN = (
    "@ros2_lv/0/aac3178e146ba6f1fc6e6a4085e77f21/0/10/MP/%/%/talker/%chatter/std_msgs::msg::dds_::String_/"
    f"{HASH}/::,10:,:,:,,"
)


def test_golden_data_key() -> None:
    assert (
        wire.data_key(0, "/chatter", "std_msgs/msg/String", HASH)
        == f"0/chatter/std_msgs::msg::dds_::String_/{HASH}"
    )
    assert (
        wire.data_key(3, "/robot1/omnibind/camera/embedding", "sensor_msgs/msg/PointCloud2", "*")
        == "3/robot1/omnibind/camera/embedding/sensor_msgs::msg::dds_::PointCloud2_/*"
    )


def test_golden_tokens() -> None:
    assert wire.node_token(TALKER) == "@ros2_lv/0/aac3178e146ba6f1fc6e6a4085e77f21/0/0/NN/%/%/talker"
    robot = wire.NodeId(2, "ab", 0, "fusion", "/fleet/robot1", "/enclave")
    assert wire.node_token(robot) == "@ros2_lv/2/ab/0/0/NN/%enclave/%fleet%robot1/fusion"
    assert wire.endpoint_token(CHATTER) == CHATTER_TOKEN
    subscriber = replace(CHATTER, kind="MS", qos=SENSOR_DATA, eid=11)
    assert wire.endpoint_token(subscriber) == CHATTER_TOKEN.replace("/10/MP/", "/11/MS/").replace(
        "/::,10:,:,:,,", "/2::,5:,:,:,,"
    )


@pytest.mark.parametrize(
    ("qos", "text"),
    [
        (Qos(depth=1), "::,1:,:,:,,"),
        (Qos(reliability="best_effort", depth=1), "2::,1:,:,:,,"),
        (Qos(depth=42), "::,:,:,:,,"),
        (LATCHED, ":1:,1:,:,:,,"),
        (EMBEDDING, ":1:,1:,:,:,0,300000000"),
        (recognition_qos(5.0), "::,1:0,400000000:,:,,"),
        (recognition_qos(0.8), "::,1:2,500000000:,:,,"),
        (Qos(history="keep_all", liveliness="manual_by_topic", lifespan_ns=10**9), "::2,10:,:1,0:3,,"),
    ],
)
def test_golden_qos(qos: Qos, text: str) -> None:
    assert wire.qos_text(qos) == text
    assert wire.parse_qos(text) == qos


def test_system_default_and_further_fields_are_read() -> None:
    assert wire.parse_qos("0:0:0,5:,:,:0,,:later") == Qos(depth=5)


def test_golden_attachment() -> None:
    packed = wire.pack_attachment(wire.Attachment(1, 1_700_000_000_000_000_000, bytes(range(16))))
    assert packed.hex() == "0100000000000000" + "00002a36fe9c9717" + "10" + "000102030405060708090a0b0c0d0e0f"


def test_golden_gid() -> None:
    # XXH3 128 of "" is 99aa06d3014798d86001c324468d497f: its low half goes first, each half little endian.
    assert wire.gid_of("").hex() == "7f498d4624c30160d8984701d306aa99"


def test_extra_segments_are_ignored() -> None:
    assert wire.parse_token(CHATTER_TOKEN + "/from/the/future") == CHATTER


@pytest.mark.parametrize(
    "token",
    [
        "",
        "@ros2_lv",
        "elsewhere/0/a/0/0/NN/%/%/talker",
        "@ros2_lv/0/a/0/0/NN/%/%",
        "@ros2_lv/x/a/0/0/NN/%/%/talker",
        "@ros2_lv/0/a/0/0/XX/%/%/talker",
        "@ros2_lv/0//0/0/NN/%/%/talker",
        CHATTER_TOKEN.rpartition("/")[0],
        CHATTER_TOKEN[:-3],
        CHATTER_TOKEN.replace("::,10:", "9::,10:"),
        CHATTER_TOKEN.replace(",10:", ",ten:"),
        CHATTER_TOKEN.replace(",10:", ",-1:"),
        CHATTER_TOKEN.replace(":,,", ":,²,"),
    ],
)
def test_what_is_no_token_is_refused(token: str) -> None:
    with pytest.raises(BadMessage):
        wire.parse_token(token)


parts = st.text(string.ascii_letters + "_", min_size=1, max_size=8)
names = st.lists(parts, min_size=1, max_size=4).map(lambda segments: "/" + "/".join(segments))
durations = st.one_of(st.just(2**63 - 1), st.integers(0, 2**63 - 1))
profiles = st.builds(
    Qos,
    st.sampled_from(["reliable", "best_effort"]),
    st.sampled_from(["transient_local", "volatile"]),
    st.sampled_from(["keep_last", "keep_all"]),
    st.integers(0, 10_000),
    durations,
    durations,
    st.sampled_from(["automatic", "manual_by_node", "manual_by_topic"]),
    durations,
)
nodes = st.builds(
    wire.NodeId,
    st.integers(0, 232),
    st.text("0123456789abcdef", min_size=1, max_size=32),
    st.integers(0, 99),
    parts,
    st.one_of(st.just("/"), names),
    st.one_of(st.just("/"), names),
)
endpoints = st.builds(
    wire.Endpoint,
    nodes,
    st.integers(0, 999),
    st.sampled_from(["MP", "MS", "SS", "SC"]),
    names,
    st.builds("{}/msg/{}".format, parts, parts),
    st.sampled_from([HASH, wire.NO_TYPE_HASH]),
    profiles,
)


@given(profiles)
def test_qos_survives_the_wire(qos: Qos) -> None:
    assert wire.parse_qos(wire.qos_text(qos)) == qos


@given(nodes)
def test_nodes_survive_the_wire(node: wire.NodeId) -> None:
    assert wire.parse_token(wire.node_token(node)) == node


@given(endpoints)
def test_endpoints_survive_the_wire(endpoint: wire.Endpoint) -> None:
    assert wire.parse_token(wire.endpoint_token(endpoint)) == endpoint


@given(st.text(string.printable + "@%/"))
def test_any_text_is_a_token_or_refused(text: str) -> None:
    without_qos = CHATTER_TOKEN.rpartition("/")[0]
    for token in (text, f"@ros2_lv/{text}", CHATTER_TOKEN[:60] + text, f"{without_qos}/{text}"):
        with suppress(BadMessage):
            wire.parse_token(token)


@given(
    st.integers(-(2**63), 2**63 - 1), st.integers(-(2**63), 2**63 - 1), st.binary(min_size=16, max_size=16)
)
def test_attachments_survive_the_wire(sequence: int, stamp_ns: int, gid: bytes) -> None:
    attachment = wire.Attachment(sequence, stamp_ns, gid)
    assert wire.unpack_attachment(wire.pack_attachment(attachment)) == attachment


@given(st.binary(max_size=40))
def test_any_bytes_are_an_attachment_or_refused(data: bytes) -> None:
    try:
        assert wire.pack_attachment(wire.unpack_attachment(data)) == data[:33]
    except BadMessage:
        assert len(data) < 33 or data[16] != 16


@given(st.builds("{}/msg/{}".format, parts, parts))
def test_type_names_translate_back(type_name: str) -> None:
    assert wire.ros_type(wire.dds_type(type_name)) == type_name


def test_a_pattern_of_topics_is_a_key_expression_of_tokens() -> None:
    pattern = "/robot/omnibind/*/embedding"
    assert wire.publishers_pattern(4, pattern) == "@ros2_lv/4/*/*/*/MP/*/*/*/%robot%omnibind%$*%embedding/**"
