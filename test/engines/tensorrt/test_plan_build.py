"""Builds in real processes, with the stand-ins of TensorRT and PyCUDA on their path."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time

import pytest
from strays import write_strays

from omnibind_ros.engines.engine import EngineOptions, load_engine
from omnibind_ros.engines.tensorrt.plan import PlanOptions
from omnibind_ros.engines.tensorrt.plan_build import PlanBuild, worker_command
from omnibind_ros.errors import BackendError

PATIENCE = 60.0
OPTIONS = PlanOptions()


@pytest.fixture
def model(tmp_path, tiny):
    path = tmp_path / "image.fp32.onnx"
    tiny.write_encoder(path)
    return path


def until(true) -> None:
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end, "it never came to pass"
        time.sleep(0.01)


def test_a_worker_builds_tells_and_ends(robot, model):
    told = []
    build = PlanBuild(model, OPTIONS)
    plan = build.wait(told.append)
    assert plan.is_file()
    assert told[-1].percent == 99
    assert load_engine(model, EngineOptions("tensorrt")).backend.startswith("tensorrt")
    assert PlanBuild(model, OPTIONS).wait() == plan
    assert robot.builds == ["image.fp32.onnx"], "what is there is not built again"
    build.close()


def test_nothing_is_imported_from_the_current_folder(robot, model, tmp_path, monkeypatch):
    monkeypatch.chdir(write_strays(tmp_path / "here"))
    assert PlanBuild(model, OPTIONS).wait().is_file()


def test_six_that_start_together_build_once(robot, model):
    command = worker_command(model, OPTIONS)
    workers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(6)]
    said = [worker.communicate(timeout=PATIENCE)[0] for worker in workers]
    assert len({json.loads(text.splitlines()[-1])["built"] for text in said}) == 1
    assert robot.builds == ["image.fp32.onnx"]


def test_a_killed_builder_leaves_neither_half_a_plan_nor_a_lock(robot, model, tmp_path):
    robot.fault("slow")
    build = PlanBuild(model, OPTIONS)
    reached = threading.Event()
    failures = []

    def wait() -> None:
        with pytest.raises(BackendError) as caught:
            build.wait(lambda progress: reached.set() if progress.percent else None)
        failures.append(str(caught.value))

    waiter = threading.Thread(target=wait)
    waiter.start()
    assert reached.wait(PATIENCE), "it never built"
    os.kill(build._process.pid, signal.SIGKILL)
    waiter.join(PATIENCE)
    assert failures == ["the builder of image.fp32.onnx: killed by SIGKILL; it may have run out of memory"]
    assert not list((tmp_path / "cache" / "plans").glob("*.plan*"))
    robot.fault("")
    assert PlanBuild(model, OPTIONS).wait().is_file()


def test_a_builder_that_crashes_takes_nobody_with_it(robot, model):
    robot.fault("crash")
    with pytest.raises(BackendError, match=r"the builder of image.fp32.onnx: killed by SIGABRT"):
        PlanBuild(model, OPTIONS).wait()


def test_why_it_failed_comes_through(robot, model):
    robot.fault("memory")
    with pytest.raises(BackendError, match="OutOfMemory"):
        PlanBuild(model, OPTIONS).wait()


def test_a_cache_that_cannot_be_written(robot, model, tmp_path):
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "plans").write_text("in the way")
    with pytest.raises(BackendError, match="cannot store plans in"):
        PlanBuild(model, OPTIONS).wait()
    assert robot.builds == []


def test_closing_ends_the_worker(robot, model):
    robot.fault("slow")
    build = PlanBuild(model, OPTIONS)
    build.close()
    assert build._process.returncode is not None


def test_a_builder_dies_with_its_parent_even_if_it_says_nothing(robot, model):
    robot.become("8.6")
    robot.fault("slow")
    code = (
        "import time\n"
        "from omnibind_ros.engines.tensorrt.plan import PlanOptions\n"
        "from omnibind_ros.engines.tensorrt.plan_build import PlanBuild\n"
        f"build = PlanBuild({str(model)!r}, PlanOptions())\n"
        "print(build._process.pid, flush=True)\n"
        "time.sleep(600)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    worker = int(parent.stdout.readline())
    until(lambda: robot.builds)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    until(lambda: not alive(worker))


def alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
