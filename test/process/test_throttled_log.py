from __future__ import annotations

import logging

from omnibind_ros.process.throttled_log import ThrottledLog


def test_the_first_of_a_kind_is_said_and_then_one_a_period_with_a_count(caplog):
    now = 0.0
    throttled = ThrottledLog(logging.getLogger("test"), period_s=5.0, clock=lambda: now)
    for now in (0.0, 1.0, 2.0, 5.0, 6.0):
        throttled.warning("a", f"a at {now:g}")
    throttled.warning("b", "b")
    assert caplog.messages == ["a at 0", "a at 5 (and 2 more)", "b"]
