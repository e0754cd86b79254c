"""Every test has a hub port of its own, so tests run side by side; processes end with their test."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from transport_support import Process, free_port

_HERE = Path(__file__).parent


@pytest.fixture
def router_port(monkeypatch: pytest.MonkeyPatch) -> int:
    port = free_port()
    monkeypatch.setenv("OMNIBIND_ROUTER", f"tcp/127.0.0.1:{port}")
    monkeypatch.setenv("ROS_DOMAIN_ID", "42")
    monkeypatch.setenv(
        "PYTHONPATH", os.pathsep.join([str(_HERE.parents[2]), os.environ.get("PYTHONPATH", "")])
    )
    return port


@pytest.fixture
def spawn(router_port: int) -> Iterator[Callable[..., Process]]:
    """`spawn(script, *arguments)`: a Process running test/support/<script>.py against this test's hub."""
    processes: list[Process] = []

    def start(script: str, *arguments: object) -> Process:
        processes.append(Process(script, *arguments))
        return processes[-1]

    yield start
    for process in processes:
        process.kill()
