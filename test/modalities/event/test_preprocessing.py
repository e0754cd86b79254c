"""Event cameras: what is cut out of the stream is what was recorded; losses, loops, stillness."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sensor_messages import MS, SECOND, T0, event_array, event_packets, feed_all

from omnibind_ros.errors import BadMessage
from omnibind_ros.host.data.scene import Scene
from omnibind_ros.modalities.event.events import Events
from omnibind_ros.modalities.registry import make_preprocessor


def test_events_are_windowed_by_sensor_time():
    preprocessor, raw = make_preprocessor("event"), Scene(4).sample("event")
    twice = Events.concatenate([raw, raw.shifted(320 * MS)])
    samples = feed_all(preprocessor, event_packets(twice, T0))
    assert len(samples) >= 3
    assert all(s.quality > 0.5 for s in samples)
    stamps = np.array([s.stamp for s in samples])
    assert (np.diff(stamps) >= 90 * MS).all()
    end = int(samples[0].stamp - T0) + 1
    first = preprocessor.prepare(twice.between(end - 300 * MS, end))
    assert np.abs(first - samples[0].data).mean() < 0.01


def test_a_movement_between_pauses_is_taken_whole():
    raws = [Scene(4, seed).sample("event") for seed in range(4)]
    rng = np.random.default_rng(0)
    parts = []
    for number, raw in enumerate(raws):
        begin = number * 450 * MS
        parts.append(raw.shifted(begin))
        stray = np.sort(rng.integers(begin + int(raw.t[-1]), begin + 450 * MS, 6))
        parts.append(
            Events(np.full(6, 3, np.uint16), np.full(6, 5, np.uint16), stray, np.ones(6, bool), 34, 34)
        )
    quiet = np.arange(1_800 * MS, 3_000 * MS, 20 * MS)
    ones = np.ones(len(quiet), np.uint16)
    parts.append(Events(ones, ones, quiet, ones > 0, 34, 34))
    preprocessor = make_preprocessor("event")
    samples = feed_all(preprocessor, event_packets(Events.concatenate(parts), T0))
    moved = [s for s in samples if s.quality > 0]
    whole = [preprocessor.prepare(raw) for raw in raws]
    which = [int(np.argmin([np.abs(s.data - w).mean() for w in whole])) for s in moved]
    assert which == sorted(which)
    assert set(which) >= {1, 2, 3}  # the first may have begun before the first packet
    for sample, number in zip(moved, which, strict=True):
        assert np.abs(sample.data - whole[number]).mean() < 0.05
    assert samples[-1].quality == 0


def test_packets_decoded_by_the_hop_make_the_samples_of_packets_decoded_one_by_one():
    raw = Scene(4).sample("event")
    stream = event_packets(Events.concatenate([raw, raw.shifted(320 * MS), raw.shifted(640 * MS)]), T0)
    by_the_hop = feed_all(make_preprocessor("event"), stream)
    for packet in stream:
        packet.header.stamp.sec = packet.header.stamp.nanosec = 0  # without stamps no packet can wait
    one_by_one = feed_all(make_preprocessor("event"), stream)
    assert len(by_the_hop) == len(one_by_one) >= 6
    for sample, expected in zip(by_the_hop, one_by_one, strict=True):
        assert abs(sample.stamp - by_the_hop[0].stamp - expected.stamp + one_by_one[0].stamp) <= 15 * MS
        assert sample.quality == expected.quality == 1.0
    same = [np.array_equal(a.data, b.data) for a, b in zip(by_the_hop, one_by_one, strict=True)]
    assert sum(same) >= len(same) / 2


def test_a_bad_packet_amid_a_hop_costs_only_itself():
    preprocessor, raw = make_preprocessor("event"), Scene(4).sample("event")
    stream = event_packets(Events.concatenate([raw, raw.shifted(320 * MS)]), T0)
    undisturbed = feed_all(make_preprocessor("event"), stream)
    samples = feed_all(preprocessor, stream[:15])
    with pytest.raises(BadMessage, match="cut in the middle of a word"):
        preprocessor.feed(replace(stream[15], events=stream[15].events[:-1]))
    samples += feed_all(preprocessor, stream[16:])
    assert len(samples) == len(undisturbed)
    for sample, expected in zip(samples, undisturbed, strict=True):
        assert abs(sample.stamp - expected.stamp) <= 15 * MS
        assert np.count_nonzero(np.abs(sample.data - expected.data) > 1e-3) < 0.1 * sample.data.size


@pytest.mark.parametrize("gap", [1, 7])
def test_missing_packets_are_counted_and_begin_a_new_window(gap):
    preprocessor, raw = make_preprocessor("event"), Scene(4).sample("event")
    stream = event_packets(Events.concatenate([raw.shifted(320 * MS * i) for i in range(4)]), T0, quiet=True)
    before = feed_all(preprocessor, stream[:45])
    assert len(before) >= 1 and preprocessor.lost_messages == 0
    after = feed_all(preprocessor, stream[45 + gap :])
    assert preprocessor.lost_messages == gap
    rejoined = make_preprocessor("event")
    expected = feed_all(rejoined, stream[45 + gap :])
    assert [s.stamp for s in after] == [s.stamp for s in expected]
    for sample, alone in zip(after, expected, strict=True):
        np.testing.assert_array_equal(sample.data, alone.data)
    preprocessor.reset()
    feed_all(preprocessor, stream[:5])
    assert preprocessor.lost_messages == gap


def test_a_driver_that_does_not_number_its_packets_yields_samples():
    raw = Scene(4).sample("event")
    stream = event_packets(Events.concatenate([raw, raw.shifted(320 * MS)]), T0)
    preprocessor = make_preprocessor("event")
    assert len(feed_all(preprocessor, [replace(packet, seq=0) for packet in stream])) >= 3
    assert preprocessor.lost_messages == 0


def test_event_arrays_make_the_samples_of_packets():
    raw = Scene(4).sample("event")
    twice = Events.concatenate([raw, raw.shifted(320 * MS)]).shifted(T0)
    arrays = [
        event_array(twice.between(begin, begin + 10 * MS)) for begin in range(T0, T0 + 630 * MS, 10 * MS)
    ]
    samples = feed_all(make_preprocessor("event"), arrays)
    expected = feed_all(make_preprocessor("event"), event_packets(twice.shifted(-T0), T0, quiet=True))
    assert abs(len(samples) - len(expected)) <= 1
    assert np.abs(samples[0].data - expected[0].data).mean() < 0.03


def test_a_looping_event_recording_starts_a_new_window():
    preprocessor, raw = make_preprocessor("event"), Scene(4).sample("event")
    feed_all(preprocessor, event_packets(raw, T0 + 1000 * SECOND))
    assert feed_all(preprocessor, event_packets(raw, T0)[:20]) == []


def test_a_still_event_camera_is_nothing():
    preprocessor = make_preprocessor("event")
    rng = np.random.default_rng(0)
    t = np.sort(rng.integers(0, 900 * MS, 60))
    noise = Events(
        rng.integers(0, 34, 60).astype(np.uint16),
        rng.integers(0, 34, 60).astype(np.uint16),
        t,
        rng.random(60) < 0.5,
        34,
        34,
    )
    samples = feed_all(preprocessor, event_packets(noise, T0))
    assert samples
    assert {s.quality for s in samples} == {0.0}
