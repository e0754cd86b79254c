from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from omnibind_ros.process.signals import stop_on_signals


@pytest.fixture(autouse=True)
def own_handlers() -> Iterator[None]:
    """A stopped process ignores further signals to its end; this one goes on."""
    numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    before = [signal.getsignal(number) for number in numbers]
    yield
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_sets_the_event_and_further_ones_are_ignored_to_the_end(number: int) -> None:
    with stop_on_signals() as stop:
        assert not stop.is_set()
        os.kill(os.getpid(), number)
        assert stop.wait(5)
        os.kill(os.getpid(), number)  # a launcher's own, milliseconds later
    os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_without_a_signal_the_handlers_come_back(number: int) -> None:
    before = signal.getsignal(number)
    with stop_on_signals():
        assert signal.getsignal(number) is not before
    assert signal.getsignal(number) is before


def test_a_second_interrupt_after_a_while_is_not_swallowed() -> None:
    with pytest.raises(KeyboardInterrupt), stop_on_signals(patience_s=0.0) as stop:
        os.kill(os.getpid(), signal.SIGINT)
        assert stop.wait(5)
        os.kill(os.getpid(), signal.SIGINT)
        stop.wait(0.1)


def test_a_hangup_calls_back_and_stops_nothing() -> None:
    called = threading.Event()
    with stop_on_signals(on_hangup=called.set) as stop:
        os.kill(os.getpid(), signal.SIGHUP)
        assert called.wait(5)
        assert not stop.is_set()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_process_that_is_starting_ends_quietly(number: int) -> None:
    program = (
        "from omnibind_ros.process.signals import end_quietly\n"
        "end_quietly(); print('starting', flush=True); import time; time.sleep(60)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    with process:
        assert process.stdout
        assert process.stdout.readline() == "starting\n"
        process.send_signal(number)
        assert (process.wait(10), process.stdout.read()) == (0, "")


def test_a_signal_that_another_thread_takes_wakes_the_waiting_one() -> None:
    with stop_on_signals() as stop:
        other = threading.Timer(0.2, lambda: signal.pthread_kill(threading.get_ident(), signal.SIGTERM))
        other.start()
        assert stop.wait(5)
        other.join()


def test_what_is_told_twice_at_once_is_told_once() -> None:
    with pytest.raises(KeyboardInterrupt), stop_on_signals(patience_s=0.5) as stop:
        for number in (signal.SIGINT, signal.SIGINT, signal.SIGTERM):
            os.kill(os.getpid(), number)
        assert stop.wait(5)
        threading.Event().wait(0.6)
        os.kill(os.getpid(), signal.SIGINT)
        threading.Event().wait(5)
