"""Settings of all tests."""

from __future__ import annotations

import logging
import os
import signal
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import settings

# How long an example takes says nothing on a busy machine.
settings.register_profile("omnibind", deadline=None)
settings.load_profile("omnibind")

# Started in the background of a script, this process ignores interrupts, and so would its children.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# ROS 2's launch, once imported, makes every later logger keep its records to itself.
with suppress(ImportError):
    import launch.logging  # noqa: F401

    logging.setLoggerClass(logging.Logger)

CHECKOUT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def data_root() -> Path:
    """Folder of the real recordings: OMNIBIND_DATA (from the checkout, if relative), else ../shared/data."""
    given = os.environ.get("OMNIBIND_DATA") or "../shared/data"
    root = (CHECKOUT / given).resolve()
    if not root.is_dir():
        pytest.skip(f"no recordings in {root}: set OMNIBIND_DATA to their folder")
    return root
