"""The EVT3 decoder against a word-by-word reading of the format; packet boundaries, clocks, bad packets."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sensor_messages import event_packet

from omnibind_ros.errors import BadMessage
from omnibind_ros.modalities.event.events import Events
from omnibind_ros.modalities.event.evt3 import Evt3Decoder, encode_evt3

STAMP = 1_700_000_000_123_456_000
WIDTH, HEIGHT = 320, 240


def packet(data, stamp=STAMP, seq=0, **fields):
    return event_packet(data, stamp, seq, **{"width": WIDTH, "height": HEIGHT, **fields})


def words(*pairs):
    return np.array([code << 12 | content for code, content in pairs], "<u2").tobytes()


def make_events(t, seed=0):
    rng = np.random.default_rng(seed)
    n = len(t)
    return Events(
        rng.integers(0, WIDTH, n).astype(np.uint16),
        rng.integers(0, HEIGHT, n).astype(np.uint16),
        np.asarray(t, np.int64),
        rng.random(n) > 0.5,
        WIDTH,
        HEIGHT,
    )


def listed(events):
    return list(zip(events.x.tolist(), events.y.tolist(), events.t.tolist(), events.p.tolist(), strict=True))


def read_word_by_word(data):
    """(x, y, sensor time in us, p) of each event, by the letter of the format; a single wrap-free packet."""
    high = low = y = base = polarity = None
    events = []
    for word in np.frombuffer(data, "<u2").tolist():
        code, content = word >> 12, word & 0xFFF
        if code == 0x0:
            y = content & 0x7FF
        elif code == 0x2 and high is not None and y is not None:
            events.append((content & 0x7FF, y, high << 12 | low, bool(content >> 11)))
        elif code == 0x3:
            base, polarity = content & 0x7FF, bool(content >> 11)
        elif code in (0x4, 0x5):
            columns = 12 if code == 0x4 else 8
            if base is not None:
                if high is not None and y is not None:
                    events += [
                        (base + bit, y, high << 12 | low, polarity)
                        for bit in range(columns)
                        if content >> bit & 1
                    ]
                base += columns
        elif code == 0x6:
            low = content
        elif code == 0x8:
            if content != high:
                low = 0
            high = content
    return [event for event in events if event[0] < WIDTH and event[1] < HEIGHT]


@given(st.lists(st.integers(0, 16_000_000), min_size=1, max_size=60), st.integers(0, 2**24))
def test_events_survive_the_round_trip(offsets, start):
    t = STAMP + start * 1000 + np.sort(np.array(offsets)) * 1000
    events = make_events(t)
    assert listed(Evt3Decoder().decode(packet(encode_evt3(events), int(t[0])))) == listed(events)


pixel_words = st.one_of(
    st.tuples(st.just(0x0), st.integers(0, HEIGHT + 20)),
    st.tuples(st.just(0x2), st.integers(0, 0xFFF)),
    st.tuples(st.just(0x3), st.integers(0, 0xFFF)),
    st.tuples(st.just(0x4), st.integers(0, 0xFFF)),
    st.tuples(st.just(0x5), st.integers(0, 0xFF)),
    st.tuples(st.sampled_from([0x7, 0xA, 0xE, 0xF]), st.integers(0, 0xFFF)),
)


@given(st.lists(pixel_words, max_size=80), st.lists(st.integers(0, 80), max_size=6))
def test_every_word_means_what_the_format_says(stream, ticks):
    # a clock that goes on: a TIME_HIGH and a TIME_LOW at each tick
    for number, at in enumerate(sorted(min(tick, len(stream)) for tick in ticks)):
        stream[at + 2 * number : at + 2 * number] = [(0x8, 100 + number), (0x6, 7 * number)]
    data = words(*stream)
    expected = read_word_by_word(data)
    decoded = listed(Evt3Decoder().decode(packet(data)))
    first = expected[0][2] if expected else 0
    assert decoded == [(x, y, STAMP + (us - first) * 1000, p) for x, y, us, p in expected]


@given(st.lists(st.integers(0, 4000), min_size=2, max_size=40), st.data())
def test_a_stream_cut_anywhere_between_words_decodes_the_same(gaps, data):
    t = STAMP + np.cumsum(gaps) * 1000
    stream = encode_evt3(make_events(t))
    stream += words((0x3, 0x805), (0x4, 0xF0F), (0x5, 0x0FF))  # a vector, so that its base crosses a cut too
    whole = listed(Evt3Decoder().decode(packet(stream, int(t[0]))))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream) // 2), max_size=5)))
    decoder, parts = Evt3Decoder(), []
    for seq, (a, b) in enumerate(zip([0, *cuts], [*cuts, len(stream) // 2], strict=True)):
        parts += listed(decoder.decode(packet(stream[2 * a : 2 * b], int(t[0]), seq=seq)))
    assert parts == whole


@given(st.lists(st.integers(0, 4000), min_size=2, max_size=40), st.data())
def test_packets_decoded_together_are_decoded_as_one_by_one(gaps, data):
    t = STAMP + np.cumsum(gaps) * 1000
    stream = encode_evt3(make_events(t))
    stream += words((0x3, 0x805), (0x4, 0xF0F), (0x5, 0x0FF))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream) // 2), max_size=8)))
    packets = []
    for number, (a, b) in enumerate(zip([0, *cuts], [*cuts, len(stream) // 2], strict=True)):
        fields = {
            "seq": number + data.draw(st.sampled_from([0, 0, 0, 5])),
            "width": data.draw(st.sampled_from([WIDTH, WIDTH, WIDTH, 200])),
        }
        stamp = int(t[0]) + data.draw(st.sampled_from([0, 0, 0, 2 * 10**9]))
        packets.append(packet(stream[2 * a : 2 * b], stamp, **fields))
    one_by_one, together = Evt3Decoder(), Evt3Decoder()
    expected = [event for each in packets for event in listed(one_by_one.decode(each))]
    for each in packets:
        together.accept(each)
    bursts = together.flush()
    assert [event for burst in bursts for event in listed(burst)] == expected
    assert all(np.all(np.diff(burst.t) >= 0) for burst in bursts)
    assert together.time == one_by_one.time
    assert together.waiting == 0 and together.flush() == []


def test_a_bad_packet_among_packets_decoded_together_costs_only_itself():
    decoder = Evt3Decoder()
    first, last = (make_events(STAMP + i * 20_000_000 + np.arange(5) * 1000, i) for i in (0, 1))
    decoder.accept(packet(encode_evt3(first), int(first.t[0]), seq=0))
    with pytest.raises(BadMessage, match="code 0x9"):
        decoder.accept(packet(words((0x8, 1), (0x9, 1)), seq=1))
    decoder.accept(packet(encode_evt3(last), int(last.t[0]), seq=2))
    assert [listed(burst) for burst in decoder.flush()] == [listed(first), listed(last)]


def test_the_time_of_a_packet_without_events_is_its_stamp():
    decoder = Evt3Decoder()
    decoder.decode(packet(encode_evt3(make_events(STAMP + np.arange(3) * 1000))))
    assert decoder.time == STAMP + 2000
    decoder.decode(packet(words((0x8, 3)), STAMP + 10_000_000, seq=1))
    assert decoder.time == STAMP + 10_000_000


def test_big_endian_words():
    events = make_events(STAMP + np.arange(50) * 10_000)
    swapped = np.frombuffer(encode_evt3(events), "<u2").astype(">u2").tobytes()
    assert listed(Evt3Decoder().decode(packet(swapped, is_bigendian=True))) == listed(events)


def test_the_clock_goes_on_over_its_wrap_every_16_8_s():
    decoder = Evt3Decoder()
    for seq in range(50):
        t = STAMP + seq * 1_000_000_000 + np.arange(10) * 1_000_000
        events = make_events(t, seq)
        assert listed(decoder.decode(packet(encode_evt3(events), int(t[0]), seq=seq))) == listed(events)


def test_arrival_jitter_does_not_reach_the_events():
    decoder = Evt3Decoder()
    for seq, jitter_ms in enumerate([0, 7, -5, 12, 3]):
        t = STAMP + seq * 10_000_000 + np.arange(10) * 1_000_000
        arrival = int(t[0]) + jitter_ms * 1_000_000
        assert decoder.decode(packet(encode_evt3(make_events(t)), arrival, seq=seq)).t.tolist() == t.tolist()


def test_a_clock_that_is_off_is_set_anew():
    decoder = Evt3Decoder()
    events = make_events(np.arange(10) * 1_000_000)  # a recording from 0, played twice
    data = encode_evt3(events)
    for seq, start in enumerate([STAMP, STAMP + 2_000_000_000]):
        decoded = decoder.decode(packet(data, start, seq=seq))
        assert decoded.t.tolist() == (events.t + start).tolist()


def test_without_stamps_the_sensor_clock_counts_from_zero():
    decoder = Evt3Decoder()
    decoder.decode(packet(encode_evt3(make_events(STAMP + np.arange(3) * 1000)), stamp=0))
    later = decoder.decode(packet(encode_evt3(make_events([STAMP + 500_000_000])), stamp=0, seq=1))
    assert later.t.tolist() == [500_000_000]


def test_a_given_stamp_replaces_that_of_the_header():
    events = make_events(STAMP + np.arange(3) * 1000)
    assert (
        Evt3Decoder().decode(packet(encode_evt3(events), stamp=5), stamp=STAMP).t.tolist()
        == events.t.tolist()
    )


def test_a_small_dip_of_the_high_time_keeps_events_in_order():
    data = words((0x8, 50), (0x6, 9), (0x0, 1), (0x2, 1), (0x8, 48), (0x2, 2), (0x8, 51), (0x6, 0), (0x2, 3))
    t = Evt3Decoder().decode(packet(data)).t - STAMP
    assert t.tolist() == [0, 0, (4096 - 9) * 1000]


def test_a_missing_packet_is_found_and_its_row_not_guessed():
    decoder = Evt3Decoder()
    first, later = words((0x8, 1), (0x6, 1), (0x0, 5), (0x2, 1)), words((0x2, 2), (0x0, 6), (0x2, 3))
    assert decoder.missing_before(packet(first, seq=7)) == 0
    decoder.decode(packet(first, seq=7))
    assert [decoder.missing_before(packet(later, seq=seq)) for seq in (8, 10, 7, 0)] == [0, 2, 0, 0]
    after_gap = decoder.decode(packet(later, seq=10))
    assert (after_gap.x.tolist(), after_gap.y.tolist()) == ([3], [6])


def test_events_outside_the_sensor_are_left_out():
    data = words((0x8, 1), (0x6, 1), (0x0, HEIGHT), (0x2, 1), (0x0, 0), (0x2, WIDTH), (0x2, WIDTH - 1))
    assert Evt3Decoder().decode(packet(data)).x.tolist() == [WIDTH - 1]


@pytest.mark.parametrize("data", [b"", words((0x8, 1)), words((0x0, 3), (0x2, 4))])
def test_no_event_is_no_error(data):
    assert len(Evt3Decoder().decode(packet(data))) == 0


@pytest.mark.parametrize(
    ("bad", "error"),
    [
        (packet(words((0x8, 1), (0x6, 1)) + b"\x01"), "cut in the middle of a word: 5 bytes"),
        (packet(words((0x8, 1), (0x9, 1))), "word 1 of 2 has code 0x9"),
        (packet(b"", encoding="evt2"), "'evt2'"),
        (packet(b"", width=0), "0x240"),
    ],
)
def test_a_bad_packet_is_refused_and_the_next_decodes_on_its_own(bad, error):
    decoder = Evt3Decoder()
    events = make_events(STAMP + np.arange(5) * 1000)
    decoder.decode(packet(encode_evt3(events)))
    with pytest.raises(BadMessage, match=error):
        decoder.decode(bad)
    assert listed(decoder.decode(packet(encode_evt3(events)))) == listed(events)


@given(
    st.lists(st.binary(max_size=200), max_size=4),
    st.booleans(),
    st.sampled_from([0, 1, 64, 5000, 2**32 - 1]),
    st.one_of(st.integers(0, 2**31 - 1), st.just(0)),
)
def test_random_bytes_yield_sorted_events_or_bad_message(chunks, bigendian, width, sec):
    decoder = Evt3Decoder()
    for seq, chunk in enumerate(chunks):
        message = packet(chunk, sec * 10**9, seq, is_bigendian=bigendian, width=width)
        try:
            events = decoder.decode(message)
        except BadMessage:
            continue
        assert np.all(np.diff(events.t) >= 0)
        assert np.all(events.x < width) and np.all(events.y < HEIGHT)
