from __future__ import annotations

import os
import signal
import threading

import pytest

from omnibind_ros.process.signals import stop_on_signals


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_sets_the_event_and_handlers_come_back(number: int) -> None:
    before = signal.getsignal(number)
    with stop_on_signals() as stop:
        assert not stop.is_set()
        os.kill(os.getpid(), number)
        assert stop.wait(5)
        assert signal.getsignal(number) is before
    assert signal.getsignal(number) is before


def test_a_second_interrupt_is_not_swallowed() -> None:
    with pytest.raises(KeyboardInterrupt), stop_on_signals() as stop:
        os.kill(os.getpid(), signal.SIGINT)
        assert stop.wait(5)
        os.kill(os.getpid(), signal.SIGINT)
        stop.wait(0.1)


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
