from __future__ import annotations

import threading
from queue import SimpleQueue

from hypothesis import given
from hypothesis import strategies as st

from omnibind_ros.encoder.intake import NEWEST_ONLY, Intake, Limits, Received

PATIENCE = 10.0


def message(number: int, at: float = 0.0, size: int = 8, lost: int = 0) -> Received:
    return Received(number.to_bytes(size, "little"), "std_msgs/msg/String", number, at, lost)


def numbers(taken: list[Received]) -> list[int]:
    return [received.stamp for received in taken]


def test_newest_only_keeps_the_newest_and_counts_the_rest():
    intake = Intake(NEWEST_ONLY)
    for number in (1, 2, 3):
        intake.put(message(number))
    assert numbers(intake.get(0)) == [3]
    assert intake.get(0) == []
    assert intake.dropped == 2


def test_a_stream_is_bounded_by_seconds():
    """A second of a 1 kHz event camera is a thousand messages, of a microphone twenty."""
    for rate in (20, 1000):
        intake = Intake(Limits(seconds=1.0))
        for number in range(3 * rate):
            intake.put(message(number, at=number / rate))
        taken = intake.get(0)
        assert rate <= len(taken) <= rate + 1, "that of rounding"
        assert taken[-1].at - taken[0].at <= 1.0
        assert intake.dropped == 3 * rate - len(taken)


def test_a_stream_is_bounded_by_bytes():
    intake = Intake(Limits(size_bytes=100))
    for number in range(10):
        intake.put(message(number, size=30))
    assert numbers(intake.get(0)) == [7, 8, 9]
    intake.put(message(10, size=30))
    assert numbers(intake.get(0)) == [10], "what was taken no longer counts"


def test_a_message_larger_than_the_limit_is_kept_alone():
    intake = Intake(Limits(size_bytes=10))
    intake.put(message(1, size=8))
    intake.put(message(2, size=50))
    assert numbers(intake.get(0)) == [2]


def test_what_was_dropped_is_noted_on_the_message_after_the_gap():
    intake = Intake(Limits(messages=2))
    for number in range(4):
        intake.put(message(number))
    intake.put(message(4, lost=3))
    assert [(received.stamp, received.lost) for received in intake.get(0)] == [(3, 3), (4, 3)]
    assert intake.dropped == 6


@given(
    st.integers(1, 5),
    st.lists(st.one_of(st.none(), st.tuples(st.integers(1, 40), st.integers(0, 3), st.integers(0, 2)))),
)
def test_nothing_is_lost_uncounted_and_limits_hold(depth, steps):
    """None takes, (bytes, seconds, lost) puts."""
    limits = Limits(seconds=4.0, size_bytes=100, messages=depth)
    intake = Intake(limits)
    at, number, lost_before, taken, noted = 0.0, 0, 0, [], 0
    for step in steps:
        if step is None:
            batch = intake.get(0)
            assert len(batch) <= depth
            if len(batch) > 1:
                assert sum(len(received.payload) for received in batch) <= limits.size_bytes
                assert batch[-1].at - batch[0].at <= limits.seconds
            noted += sum(received.lost for received in batch)
            taken += numbers(batch)
        else:
            size, seconds, lost = step
            at += seconds
            intake.put(message(number, at, size, lost))
            lost_before += lost
            number += 1
    rest = intake.get(0)
    taken += numbers(rest)
    noted += sum(received.lost for received in rest)
    assert taken == sorted(taken)
    assert intake.dropped == noted == number - len(taken) + lost_before


def test_a_waiting_get_is_woken_by_put_and_by_close():
    intake = Intake(Limits())
    got: SimpleQueue[list[int]] = SimpleQueue()

    def read() -> None:
        got.put(numbers(intake.get()))
        got.put(numbers(intake.get()))

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    intake.put(message(1))
    assert got.get(timeout=PATIENCE) == [1]
    intake.close()
    assert got.get(timeout=PATIENCE) == []


def test_after_close_nothing_is_kept():
    intake = Intake(Limits())
    intake.put(message(1))
    intake.close()
    intake.put(message(2))
    assert intake.closed
    assert intake.get() == []


def test_many_writers_lose_nothing_uncounted():
    intake = Intake(Limits(messages=16))
    writers = [
        threading.Thread(target=lambda: [intake.put(message(i)) for i in range(500)]) for _ in range(4)
    ]
    taken = 0
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        taken += len(intake.get(0.01))
    taken += len(intake.get(0))
    assert taken + intake.dropped == 2000
