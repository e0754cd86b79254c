"""An encoder works on ONNX Runtime while its plan is built, and goes on with TensorRT between two samples."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from omnibind_ros.bundle.loading import Bundle
from omnibind_ros.encoder.engine_upgrade import EngineUpgrade, open_encoder_engine
from omnibind_ros.encoder.intake import Intake, Limits
from omnibind_ros.encoder.sensor_encoder import SensorEncoder
from omnibind_ros.encoder.status import EncoderStatus
from omnibind_ros.encoder.worker import EncoderWorker
from omnibind_ros.engines.engine import EngineOptions
from omnibind_ros.errors import BackendError
from omnibind_ros.messages.cdr import message_class, serialise
from omnibind_ros.modalities.preprocessor import Sample

FLOAT = "std_msgs/msg/Float32"
PATIENCE = 60.0
NOW = 1_700_000_000_000_000_000


class PassThrough:
    stream = True
    input_shape = (1, 4)
    lost_messages = 0
    stamp_fault = ""

    def feed(self, message: Any, received: int = 0) -> list[Sample]:
        value = getattr(message, "data", message)
        return [Sample(np.array([[value, 1, 0, 0]], np.float32), NOW, "", 1.0, "")]

    def reset(self) -> None: ...


class GatedBuild:
    """A build that ends when it is told to."""

    status = "43 % (Building Engine), 35 s"

    def __init__(self) -> None:
        self.end = threading.Event()
        self.failure = ""
        self.closed = False

    def wait(self, report) -> Path:
        assert self.end.wait(PATIENCE)
        if self.failure:
            raise BackendError(self.failure)
        return Path()

    def close(self) -> None:
        self.closed = True
        self.failure = self.failure or "closed"
        self.end.set()


class CountedEngine:
    """An engine that says who runs and closes it."""

    def __init__(self, backend: str, engine) -> None:
        self.backend, self._engine = backend, engine
        self.inputs, self.outputs = engine.inputs, engine.outputs
        self.warm, self.closed = False, False
        self.threads: set[str] = set()

    def run(self, inputs):
        self.threads.add(threading.current_thread().name)
        return self._engine.run(inputs)

    def warm_up(self) -> None:
        self.warm = True

    def close(self) -> None:
        self.threads.add(f"{threading.current_thread().name} closes")
        self.closed = True


@pytest.fixture
def setting(bundle_folder):
    bundle = Bundle.load(bundle_folder)
    load = lambda name: CountedEngine(name, bundle.load_encoder("image", EngineOptions("onnxruntime")))  # noqa: E731
    slow, fast, build = load("onnxruntime"), load("tensorrt"), GatedBuild()
    upgrade = EngineUpgrade("image", lambda: build, lambda: fast)
    encoder = SensorEncoder(bundle, "cam", "image", adaptor=PassThrough(), engine=slow, upgrade=upgrade)
    yield SimpleNamespace(encoder=encoder, slow=slow, fast=fast, build=build, upgrade=upgrade)
    encoder.close()


def number(value: float) -> tuple[bytes, str, int]:
    message = message_class(FLOAT)(data=value)
    return bytes(serialise(message, FLOAT)), FLOAT, NOW


def until(true) -> None:
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end, "it never came to pass"
        time.sleep(0.005)


def test_the_switch_is_between_two_samples_on_the_workers_own_thread(setting):
    published: list[object] = []
    worker = EncoderWorker(
        setting.encoder,
        Intake(Limits()),
        lambda embedding, received: published.append(embedding),
        lambda reason: None,
        lambda: NOW,
    )
    status = EncoderStatus(worker)
    worker.start()
    worker.receive(*number(1.0))
    until(lambda: len(published) == 1)
    assert status.values()["backend"] == "onnxruntime"
    assert status.values()["tensorrt_plan"] == "building: 43 % (Building Engine), 35 s"
    setting.build.end.set()
    until(lambda: setting.upgrade.status == "built")
    assert setting.encoder.engine is setting.slow, "only the worker's thread switches"
    assert setting.fast.warm, "the first sample is not the slow one"
    worker.receive(*number(2.0))
    until(lambda: len(published) == 2)
    assert status.values()["backend"] == "tensorrt"
    assert status.values()["tensorrt_plan"] == "built"
    assert worker.stop()
    assert setting.slow.closed
    assert setting.slow.threads == {"MainThread", "encoder_cam", "encoder_cam closes"} - {"MainThread"}
    assert setting.fast.threads == {"encoder_cam"}
    assert worker.failures == 0


def test_a_failed_build_is_told_once_and_leaves_the_encoder_as_it_is(setting, caplog):
    setting.build.failure = "TensorRT cannot build image.fp32.onnx: No importer for 'Frobnicate'"
    setting.build.end.set()
    until(lambda: setting.upgrade.status.startswith("failed"))
    assert setting.encoder.plan_status == f"failed: {setting.build.failure}"
    for value in (1.0, 2.0):
        assert setting.encoder.feed(value, NOW)
    assert setting.encoder.engine is setting.slow
    assert [record.message for record in caplog.records if record.levelname == "WARNING"] == [
        f"image stays on ONNX Runtime: failed: {setting.build.failure}"
    ]


def test_closing_ends_a_build_and_frees_an_engine_that_nobody_took(setting):
    setting.build.end.set()
    until(lambda: setting.upgrade.status == "built")
    setting.encoder.close()
    assert setting.fast.closed
    assert setting.slow.closed


def test_closing_in_the_middle_of_a_build(setting, caplog):
    until(lambda: setting.upgrade._build is not None)
    setting.encoder.close()
    assert setting.build.closed
    assert not [record for record in caplog.records if record.levelname == "WARNING"]


# -------- with a real worker process and the stand-ins


def open_engine(bundle_folder, backend="auto", build="background"):
    options = EngineOptions(backend, build=build)
    return open_encoder_engine(Bundle.load(bundle_folder), "image", options)


@pytest.mark.parametrize("backend", ["auto", "tensorrt"])
def test_from_nothing_to_tensorrt(robot, bundle_folder, backend, caplog):
    caplog.set_level("INFO")
    engine, upgrade = open_engine(bundle_folder, backend)
    assert engine.backend.startswith("onnxruntime")
    assert upgrade is not None
    until(lambda: upgrade.status == "built")
    better = upgrade.take()
    assert better is not None
    assert better.backend == "tensorrt 10.3.0 Orin"
    assert upgrade.take() is None
    signal = {"signal": np.ones((1, 4), np.float32)}
    np.testing.assert_array_equal(better.run(signal)["embedding"], engine.run(signal)["embedding"])
    upgrade.close()
    again, none = open_engine(bundle_folder, backend)
    assert again.backend.startswith("tensorrt")
    assert none is None
    assert robot.builds == ["image.fp32.onnx"]
    told = [record.message for record in caplog.records if "building a TensorRT plan: " in record.message]
    assert 5 <= len(told) <= 10, told


def test_a_damaged_plan_is_built_anew(robot, bundle_folder, tmp_path):
    _, upgrade = open_engine(bundle_folder)
    until(lambda: upgrade.status == "built")
    upgrade.close()
    (plan,) = (tmp_path / "cache" / "plans").glob("*.plan")
    plan.write_bytes(plan.read_bytes()[:100])
    engine, upgrade = open_engine(bundle_folder)
    assert engine.backend.startswith("onnxruntime")
    until(lambda: upgrade.status == "built")
    upgrade.close()
    assert len(robot.builds) == 2


def test_a_build_that_fails_in_its_process(robot, bundle_folder):
    robot.fault("memory")
    _, upgrade = open_engine(bundle_folder)
    until(lambda: upgrade.status.startswith("failed"))
    assert "OutOfMemory" in upgrade.status
    assert upgrade.take() is None
    upgrade.close()
    assert len(robot.builds) == 1, "not tried again"


def test_never_building(robot, bundle_folder):
    engine, upgrade = open_engine(bundle_folder, build="never")
    assert engine.backend.startswith("onnxruntime")
    assert upgrade is None
    with pytest.raises(BackendError, match=r"no TensorRT plan of image.fp32 .*run `omnibind build`"):
        open_engine(bundle_folder, "tensorrt", build="never")


def test_without_tensorrt_or_gpu(robot, bundle_folder):
    robot.become("10.3", count=0)
    engine, upgrade = open_engine(bundle_folder)
    assert engine.backend.startswith("onnxruntime")
    assert upgrade is None
    with pytest.raises(BackendError, match="no CUDA-capable device"):
        open_engine(bundle_folder, "tensorrt")
