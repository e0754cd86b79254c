from __future__ import annotations

import threading
from collections import deque
from queue import SimpleQueue

from hypothesis import given
from hypothesis import strategies as st

from omnibind_ros.encoder.intake import BoundedQueue, NewestSlot

PATIENCE = 10.0


def test_the_slot_keeps_the_newest_and_counts_the_rest():
    slot: NewestSlot[int] = NewestSlot()
    for item in (1, 2, 3):
        slot.put(item)
    assert slot.get(0) == [3]
    assert slot.get(0) == []
    assert slot.dropped == 2


def test_the_queue_loses_nothing_up_to_its_depth_and_then_the_oldest():
    queue: BoundedQueue[int] = BoundedQueue(3)
    for item in range(3):
        queue.put(item)
    assert queue.dropped == 0
    queue.put(3)
    assert queue.get(0) == [1, 2, 3]
    assert queue.dropped == 1


@given(st.integers(1, 5), st.lists(st.one_of(st.none(), st.integers())))
def test_it_behaves_like_a_bounded_deque(depth, steps):
    """None takes, a number puts."""
    queue: BoundedQueue[int] = BoundedQueue(depth)
    model: deque[int] = deque(maxlen=depth)
    put = taken = 0
    for step in steps:
        if step is None:
            items = queue.get(0)
            assert items == list(model)
            taken += len(items)
            model.clear()
        else:
            queue.put(step)
            model.append(step)
            put += 1
    assert queue.dropped == put - taken - len(model)


def test_a_waiting_get_is_woken_by_put_and_by_close():
    queue: BoundedQueue[str] = BoundedQueue(2)
    got: SimpleQueue[list[str]] = SimpleQueue()

    def read() -> None:
        got.put(queue.get())
        got.put(queue.get())

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    queue.put("a")
    assert got.get(timeout=PATIENCE) == ["a"]
    queue.close()
    assert got.get(timeout=PATIENCE) == []


def test_after_close_nothing_is_kept():
    queue: BoundedQueue[int] = BoundedQueue(2)
    queue.put(1)
    queue.close()
    queue.put(2)
    assert queue.closed
    assert queue.get() == []


def test_many_writers_lose_nothing_uncounted():
    queue: BoundedQueue[int] = BoundedQueue(16)
    writers = [threading.Thread(target=lambda: [queue.put(i) for i in range(500)]) for _ in range(4)]
    taken = 0
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        taken += len(queue.get(0.01))
    taken += len(queue.get(0))
    assert taken + queue.dropped == 2000
