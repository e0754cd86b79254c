from __future__ import annotations

import queue
import random
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from omnibind_ros.bundle.loading import Bundle
from omnibind_ros.encoder.driver_watch import DriverTimeout
from omnibind_ros.encoder.intake import NEWEST_ONLY, Intake, Limits
from omnibind_ros.encoder.sensor_encoder import SensorEncoder
from omnibind_ros.encoder.worker import EncoderWorker
from omnibind_ros.engines.engine import EngineOptions
from omnibind_ros.errors import BadMessage
from omnibind_ros.messages.cdr import message_class, serialise
from omnibind_ros.modalities.preprocessor import Sample

NOW = 1_700_000_000_000_000_000
PATIENCE = 10.0
NEVER = DriverTimeout(min_s=1000.0)


STRING = "std_msgs/msg/String"
SENT: dict[str, Any] = {}


def payload(content: Any) -> bytes:
    """A string message that stands for `content`."""
    name = f"message {len(SENT)} {content!r} {random.random()}"
    SENT[name] = content
    return bytes(serialise(message_class(STRING)(data=name), STRING))


class GatedAdaptor:
    """A message's text is (number, quality) or an exception. Decoding waits for the gate, open at first.

    All samples share one buffer, as the contract of `Sample.data` allows.
    """

    stream = True
    input_shape = (1, 4)
    lost_messages = 0
    stamp_fault = ""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Semaphore(0)
        self.fed: list[Any] = []
        self.resets = 0
        self._data = np.zeros(self.input_shape, np.float32)

    def feed(self, message: Any, received: int = 0) -> list[Sample]:
        self.entered.release()
        assert self.gate.wait(PATIENCE)
        message = SENT.pop(message.data)
        self.fed.append(message)
        if isinstance(message, Exception):
            raise message
        number, quality = message
        self._data[0] = [number, 1, 0, 0]
        return [Sample(self._data, NOW + number, "", quality, "" if quality else "nothing there")]

    def reset(self) -> None:
        self.resets += 1


class Robot:
    """A worker with its ends in the test's hands."""

    def __init__(self, bundle: Bundle) -> None:
        self.adaptor = GatedAdaptor()
        self.published: queue.Queue[Any] = queue.Queue()
        self.withdrawals: queue.Queue[str] = queue.Queue()
        self.publish: Callable[[Any], None] = self.published.put
        engine = bundle.load_encoder("image", EngineOptions("onnxruntime"))
        self.encoder = SensorEncoder(bundle, "cam", "image", adaptor=self.adaptor, engine=engine)
        self.worker: EncoderWorker | None = None

    def send(self, content: Any, lost: int = 0) -> None:
        assert self.worker
        self.worker.receive(payload(content), STRING, NOW, lost)

    def start(self, intake: Intake, timeout: DriverTimeout = NEVER) -> EncoderWorker:
        self.worker = EncoderWorker(
            self.encoder,
            intake,
            lambda embedding, received: self.publish(embedding),
            self.withdrawals.put,
            lambda: NOW,
            driver_timeout=timeout,
        )
        self.worker.start()
        return self.worker

    def next_number(self) -> int:
        return self.published.get(timeout=PATIENCE).stamp - NOW

    def hold(self, first: Any) -> None:
        """Close the gate and wait until the worker stands before it with `first`."""
        self.adaptor.gate.clear()
        self.send(first)
        assert self.adaptor.entered.acquire(timeout=PATIENCE)


@pytest.fixture
def robot(bundle_folder) -> Iterator[Robot]:
    robot = Robot(Bundle.load(bundle_folder))
    yield robot
    robot.adaptor.gate.set()
    if robot.worker:
        assert robot.worker.stop()


def test_each_message_is_encoded_and_published(robot):
    worker = robot.start(Intake(Limits()))
    for number in (1, 2, 3):
        robot.send((number, 1.0))
        assert robot.next_number() == number
    assert robot.encoder.counters.embeddings == 3
    assert worker.driver_alive


def test_receiving_never_waits_and_the_newest_wins(robot):
    worker = robot.start(Intake(NEWEST_ONLY))
    robot.hold((1, 1.0))
    for number in range(2, 6):
        robot.send((number, 1.0))
    robot.adaptor.gate.set()
    assert [robot.next_number(), robot.next_number()] == [1, 5]
    assert worker.dropped == 3


def test_a_stream_loses_no_chunk_and_only_its_newest_sample_is_encoded(robot):
    worker = robot.start(Intake(Limits()))
    robot.hold((1, 1.0))
    for number in (2, 3, 4):
        robot.send((number, 1.0))
    robot.adaptor.gate.set()
    assert [robot.next_number(), robot.next_number()] == [1, 4]
    assert [number for number, _ in robot.adaptor.fed] == [1, 2, 3, 4]
    assert robot.encoder.counters.skipped == 2
    assert robot.adaptor.resets == worker.dropped == 0


def test_a_sample_outlives_the_messages_after_it(robot):
    """The newest sample of a batch is encoded as it was, though a later bad message reused its buffer."""
    robot.start(Intake(Limits()))
    robot.send((7, 1.0))
    expected = robot.published.get(timeout=PATIENCE).vector

    real_feed = robot.adaptor.feed

    def spoil(message: Any, received: int) -> list[Sample]:
        if isinstance(SENT[message.data], BadMessage):
            robot.adaptor._data[:] = np.nan
        return real_feed(message)

    robot.adaptor.feed = spoil
    robot.adaptor.entered = threading.Semaphore(0)
    robot.hold((1, 1.0))
    robot.send((7, 1.0))
    robot.send(BadMessage("cut"))
    robot.adaptor.gate.set()
    assert robot.next_number() == 1
    np.testing.assert_array_equal(robot.published.get(timeout=PATIENCE).vector, expected)


def test_a_loss_restarts_the_window_exactly_at_the_gap(robot):
    """Chunks before the gap belong together, and so do those after it, within one batch."""
    robot.start(Intake(Limits()))
    robot.hold((1, 1.0))
    robot.send((2, 1.0))
    robot.send((5, 1.0), lost=2)
    robot.send((6, 1.0))
    fed_at_reset = []
    robot.adaptor.reset = lambda: fed_at_reset.append([number for number, _ in robot.adaptor.fed])
    robot.adaptor.gate.set()
    assert [robot.next_number(), robot.next_number()] == [1, 6]
    assert fed_at_reset == [[1, 2]]
    assert robot.encoder.counters.gaps == 2


def test_an_overflowing_stream_restarts_its_window_and_counts_the_gap(robot):
    worker = robot.start(Intake(Limits(messages=2)))
    robot.hold((1, 1.0))
    for number in (2, 3, 4, 5):
        robot.send((number, 1.0))
    robot.adaptor.gate.set()
    assert [robot.next_number(), robot.next_number()] == [1, 5]
    assert (worker.dropped, robot.encoder.counters.gaps, robot.adaptor.resets) == (2, 2, 1)


def test_a_bad_message_inside_a_stream_restarts_the_window(robot):
    robot.start(Intake(Limits()))
    robot.hold((1, 1.0))
    robot.send(BadMessage("cut"))
    robot.send((3, 1.0))
    robot.adaptor.gate.set()
    assert [robot.next_number(), robot.next_number()] == [1, 3]
    assert robot.adaptor.resets == 1, "what follows a bad chunk must not be spliced to what came before"


def test_what_is_no_cdr_is_counted_and_told(robot):
    worker = robot.start(Intake(Limits()))
    worker.receive(b"\0\1\0\0nonsense", STRING, NOW)
    robot.send((1, 1.0))
    assert robot.next_number() == 1
    assert (worker.malformed, robot.encoder.counters.rejected) == (1, 1)
    assert "are not a std_msgs/msg/String" in robot.encoder.counters.rejected_reason


def test_a_silent_driver_is_told_once_and_lives_again_with_the_next_message(robot):
    worker = robot.start(Intake(Limits()), DriverTimeout(min_s=0.05, periods=1.0))
    robot.send((1, 1.0))
    assert robot.next_number() == 1
    assert robot.withdrawals.get(timeout=PATIENCE) == "its driver is silent"
    assert not worker.driver_alive
    assert robot.adaptor.resets == 1, "old chunks must not be joined to new ones"
    with pytest.raises(queue.Empty):
        robot.withdrawals.get(timeout=0.3)
    robot.send((2, 1.0))
    assert robot.next_number() == 2
    assert robot.withdrawals.get(timeout=PATIENCE) == "its driver is silent"


def test_before_its_first_message_a_driver_is_waited_for_in_silence(robot):
    robot.start(Intake(Limits()), DriverTimeout(min_s=0.01))
    with pytest.raises(queue.Empty):
        robot.withdrawals.get(timeout=0.2)


def test_an_empty_sample_takes_back_what_was_said_once(robot):
    robot.start(Intake(Limits()))
    robot.send((1, 1.0))
    assert robot.next_number() == 1
    robot.send((2, 0.0))
    assert robot.withdrawals.get(timeout=PATIENCE) == "nothing there"
    robot.send((3, 0.0))
    robot.send((4, 1.0))
    assert robot.next_number() == 4
    assert robot.withdrawals.empty()


def test_an_empty_sample_before_the_first_good_one_says_nothing(robot):
    robot.start(Intake(Limits()))
    robot.send((1, 0.0))
    robot.send((2, 1.0))
    assert robot.next_number() == 2
    assert robot.withdrawals.empty()


def test_a_bad_message_costs_only_itself(robot, caplog):
    robot.start(Intake(Limits()))
    for number in range(20):
        robot.send(BadMessage(f"bad {number}"))
    robot.send((1, 1.0))
    assert robot.next_number() == 1
    assert robot.encoder.counters.rejected == 20
    assert robot.encoder.counters.rejected_reason == "bad 19"
    assert [r for r in caplog.messages if "message dropped" in r] == ["cam: message dropped: bad 0"]


def test_the_thread_survives_any_exception_of_adaptor_and_publisher(robot, caplog):
    worker = robot.start(Intake(Limits()))
    robot.send(RuntimeError("a bug"))
    robot.send((1, 1.0))
    assert robot.next_number() == 1
    assert (worker.failures, worker.last_failure) == (1, "RuntimeError: a bug")

    failed = threading.Event()

    def broken(embedding: Any) -> None:
        failed.set()
        raise OSError("no network")

    robot.publish = broken
    robot.send((2, 1.0))
    assert failed.wait(PATIENCE)
    robot.publish = robot.published.put
    robot.send((3, 1.0))
    assert robot.next_number() == 3
    assert (worker.failures, worker.last_failure) == (2, "OSError: no network")


def test_wrong_stamps_are_replaced_by_the_time_of_receipt_and_told(robot, caplog):
    robot.start(Intake(Limits()))
    robot.send((-60_000_000_000, 1.0))
    assert robot.next_number() == 0
    assert "its driver's stamps are -60.0 s off" in caplog.text


def test_stopping_ends_the_thread_while_it_waits_and_messages_go_nowhere(robot):
    worker = robot.start(Intake(Limits()))
    assert worker.stop(PATIENCE)
    robot.send((1, 1.0))
    assert robot.published.empty()


def test_stopping_a_worker_that_never_started_is_no_fault(robot):
    worker = EncoderWorker(robot.encoder, Intake(NEWEST_ONLY), print, print, lambda: NOW)
    assert worker.stop()
