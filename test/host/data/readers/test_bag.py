"""Topics of ROS 2 bags, cut into recordings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from recipes import read
from rosbags.rosbag2 import StoragePlugin, Writer

from omnibind_ros.errors import BadRecording, ConfigError
from omnibind_ros.messages.cdr import message_class
from omnibind_ros.messages.stamps import make_header
from omnibind_ros.messages.type_store import type_store
from omnibind_ros.modalities.audio.messages import audio_message
from omnibind_ros.modalities.point_cloud.messages import cloud_message

BEGIN = 1_700_000_000_000_000_000
STEP = 20_000_000
IMU, CLOUD, AUDIO = (
    "sensor_msgs/msg/Imu",
    "sensor_msgs/msg/PointCloud2",
    "audio_common_msgs/msg/AudioDataStamped",
)


def imu(stamp: int, value: float) -> Any:
    vector = message_class("geometry_msgs/msg/Vector3")
    return message_class(IMU)(
        header=make_header(stamp, "imu"),
        orientation=message_class("geometry_msgs/msg/Quaternion")(x=0.0, y=0.0, z=0.0, w=1.0),
        orientation_covariance=np.zeros(9),
        angular_velocity=vector(x=value, y=0.0, z=0.0),
        angular_velocity_covariance=np.zeros(9),
        linear_acceleration=vector(x=0.0, y=0.0, z=9.8),
        linear_acceleration_covariance=np.zeros(9),
    )


def write_bag(folder: Path, plugin: StoragePlugin = StoragePlugin.MCAP) -> None:
    """Four seconds: an inertial unit at 50 Hz that counts seconds, a cloud a second, sound all the time."""
    with Writer(folder, version=9, storage_plugin=plugin) as writer:
        topics = {
            topic: writer.add_connection(topic, kind, typestore=type_store())
            for topic, kind in (("/imu", IMU), ("/cloud", CLOUD), ("/mic", AUDIO))
        }
        for index in range(200):
            stamp = BEGIN + index * STEP
            sound = np.full(160, 0.5, np.float32)
            messages = {"/imu": imu(stamp, float(index // 50)), "/mic": audio_message(sound, stamp)}
            if index % 50 == 0:
                points = np.full((9, 3), index // 50 + 1, np.float32)
                messages["/cloud"] = cloud_message(points, stamp)
            for topic, message in messages.items():
                data = type_store().serialize_cdr(message, topics[topic].msgtype)
                writer.write(topics[topic], stamp, data)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "data").mkdir()
    write_bag(tmp_path / "data/yes_1")
    return tmp_path


SERIES = {"modalities": {"motion": {"adaptor": "series"}}}
MOTION = {"modality": "motion", "reader": "bag", "topic": "/imu", "path": "{label}_{take}/{}.mcap"}


@pytest.mark.parametrize("plugin", [StoragePlugin.MCAP, StoragePlugin.SQLITE3])
@pytest.mark.parametrize("whole", [True, False])
def test_a_bag_of_one_class_is_cut_by_time(tmp_path, plugin, whole):
    (tmp_path / "data").mkdir()
    write_bag(tmp_path / "data/yes_1", plugin)
    path = "{label}_{take}/metadata.yaml" if whole else r"{label}_{take}/{:.*\.(mcap|db3)}"
    found = read(tmp_path, {**MOTION, "path": path, "every_s": 1.0, "pair": "{take} {start}"}, **SERIES)
    assert [(r.label, r.pair) for r in found] == [("yes", f"1 {second}.000") for second in range(4)]
    assert len({r.name for r in found}) == 4
    for second, recording in enumerate(found):
        rows = recording.load()
        assert rows.shape == (50, 6)
        np.testing.assert_allclose(rows, np.tile([0, 0, 9.8, second, 0, 0], (50, 1)), rtol=1e-6)


def test_a_table_says_what_is_shown_when(folder):
    (folder / "data/yes_1/1.csv").write_text("start,end,label\n0,1.5,no\n2,3,yes\n")
    source = {**MOTION, "path": "{}_{take}/{}.mcap", "segments": "{take}.csv"}
    found = read(folder, source, **SERIES)
    assert [(r.label, len(r.load())) for r in found] == [("no", 75), ("yes", 50)]
    (folder / "data/yes_1/1.csv").write_text("start,label\n0,no\n")
    with pytest.raises(BadRecording, match=r"1\.csv needs columns start and end in seconds"):
        read(folder, source, **SERIES)


def test_topics_cut_alike_are_pairs_and_pieces_without_messages_are_left_out(folder):
    cut = {"every_s": 0.5, "pair": "{bag} {start}"}
    cloud = {**MOTION, **cut, "modality": "point_cloud", "topic": "/cloud"}
    found = read(folder, {**MOTION, **cut}, cloud, **SERIES)
    clouds = [r for r in found if r.modality == "point_cloud"]
    assert [float(r.load()[0, 0]) for r in clouds] == [1, 2, 3, 4]
    assert {r.pair for r in clouds} < {r.pair for r in found if r.modality == "motion"}


def test_sound_is_joined_and_brought_to_the_models_rate(folder):
    source = {**MOTION, "modality": "audio", "topic": "/mic", "every_s": 2.0}
    sound = read(folder, source)[0].load()
    assert sound.shape == (8000,) and sound.dtype == np.float32  # 100 chunks of 160, recorded at 16 kHz
    assert abs(float(sound[4000]) - 0.5) < 0.01


def test_what_is_not_there_is_one_line(folder):
    with pytest.raises(ConfigError, match=r"no topic '/imv'; did you mean '/imu'"):
        read(folder, {**MOTION, "topic": "/imv"}, **SERIES)
    (file,) = (folder / "data/yes_1").glob("*.mcap")
    file.write_bytes(b"no bag")
    with pytest.raises(BadRecording, match="cannot read the bag"):
        read(folder, MOTION, **SERIES)


def test_a_message_that_does_not_fit_is_told_when_it_is_read(folder):
    (recording,) = read(
        folder, MOTION, modalities={"motion": {"adaptor": "series", "preprocessing": {"channels": 3}}}
    )
    with pytest.raises(BadRecording, match=r"/imu.*6 values"):
        recording.load()
