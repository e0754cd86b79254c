"""The nouns and their promises."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnibind_ros.errors import BadMessage, ConfigError
from omnibind_ros.names import check_sensor_name, nearest
from omnibind_ros.types import Embedding, Recognition, Space

SPACE = Space("test/1", 8)


def embedding(**changes) -> Embedding:
    values = {
        "sensor": "cam",
        "modality": "image",
        "vector": np.eye(1, 8, dtype=np.float32)[0],
        "stamp": 1,
        "space": SPACE.tag,
    }
    return Embedding(**{**values, **changes})


def test_a_space_tag_is_the_start_of_its_ids_hash():
    assert Space("a", 3).tag == int.from_bytes(bytes.fromhex("ca978112"), "little")
    assert Space("a", 3).tag != Space("b", 3).tag


def test_a_good_embedding_passes():
    embedding().check(SPACE)


@pytest.mark.parametrize(
    "changes,complaint",
    [
        ({"space": 7}, "space"),
        ({"vector": np.ones(3, np.float32)}, r"shape \(3,\).*\(8,\)"),
        ({"vector": np.full(8, np.nan, np.float32)}, "not finite"),
        ({"vector": np.full(8, 2, np.float32)}, "norm"),
        ({"evidence": float("nan")}, "not finite"),
        ({"quality": float("inf")}, "not finite"),
    ],
)
def test_a_bad_embedding_is_refused_with_its_sensors_name(changes, complaint):
    with pytest.raises(BadMessage, match=complaint) as error:
        embedding(**changes).check(SPACE)
    assert "'cam'" in str(error.value)


@given(st.from_regex(r"[a-z][a-z0-9_]*", fullmatch=True))
def test_names_that_can_stand_in_a_topic_are_taken(name):
    assert check_sensor_name(name) == name


@given(st.text(max_size=20))
def test_other_names_are_refused_with_a_proposal_that_is_taken(name):
    try:
        assert check_sensor_name(name) == name
    except ConfigError as error:
        proposal = str(error).rsplit("e.g. ", 1)[1].strip("'")
        assert check_sensor_name(proposal) == proposal


def test_the_nearest_name_or_all_of_them():
    assert nearest("termal", ["image", "thermal"]) == "; did you mean 'thermal'?"
    assert nearest("xyz", ["image", "thermal"]) == "; valid: image, thermal"


def test_no_live_sensor_is_no_answer():
    assert Recognition(stamp=5).answer is None
