from __future__ import annotations

import subprocess
import sys
from typing import get_args

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from omnibind_ros.config.robot import EncodersConfig
from omnibind_ros.engines import onnxruntime as onnxruntime_engine
from omnibind_ros.engines.engine import BACKENDS, EngineOptions, load_engine
from omnibind_ros.errors import BackendError, ConfigError

SIGNAL = np.array([[1.0, 2.0, 3.0, 4.0]], np.float32)


@pytest.fixture
def model(tmp_path, tiny):
    path = tmp_path / "model.onnx"
    tiny.write_encoder(path)
    return path


@pytest.fixture
def engine(model):
    return load_engine(model, EngineOptions("onnxruntime"))


def test_it_computes_what_the_model_says(engine, tiny):
    outputs = engine.run({"signal": SIGNAL})
    raw = SIGNAL @ np.random.default_rng(0).normal(size=(4, tiny.dim)).astype(np.float32)
    norm = np.linalg.norm(raw)
    np.testing.assert_allclose(outputs["embedding"], raw / norm, rtol=1e-5)
    np.testing.assert_allclose(outputs["evidence"], [np.log(norm)], rtol=1e-5)


def test_output_buffers_are_reused_and_the_input_is_not_kept(engine):
    signal = SIGNAL.copy()
    first = engine.run({"signal": signal})["embedding"]
    kept = first.copy()
    signal[:] = -1
    second = engine.run({"signal": SIGNAL[:, ::-1]})["embedding"]
    assert second is first
    assert not np.allclose(first, kept)
    np.testing.assert_array_equal(engine.run({"signal": SIGNAL})["embedding"], kept)


def test_it_describes_itself(engine, tiny):
    assert [str(spec) for spec in engine.inputs] == ["signal: float32 [1, 4]"]
    assert [str(spec) for spec in engine.outputs] == [
        f"embedding: float32 [1, {tiny.dim}]",
        "evidence: float32 [1]",
    ]
    assert engine.backend.startswith("onnxruntime ")
    assert engine.backend.endswith("CPU, 1 thread")


@pytest.mark.parametrize(
    ("inputs", "expected"),
    [
        ({"signal": SIGNAL[0]}, r"input 'signal' must be float32 \[1, 4\], got float32 \[4\]"),
        ({"signal": SIGNAL.astype(np.float64)}, r"must be float32 \[1, 4\], got float64 \[1, 4\]"),
        ({}, "input 'signal' is missing; got none"),
        ({"singal": SIGNAL}, "input 'signal' is missing; got singal"),
        ({"signal": SIGNAL, "signals": SIGNAL}, r"no input 'signals'; did you mean 'signal'\?"),
    ],
)
def test_ill_formed_input_is_refused(engine, inputs, expected):
    with pytest.raises(BackendError, match=expected):
        engine.run(inputs)


@pytest.mark.parametrize(
    ("dtype", "kind"),
    [(np.uint8, TensorProto.UINT8), (np.int64, TensorProto.INT64), (np.float32, TensorProto.FLOAT)],
)
def test_inputs_of_other_types(tmp_path, tiny, dtype, kind):
    path = tmp_path / "cast.onnx"
    tiny.save(
        path,
        [helper.make_node("Cast", ["x"], ["y"], to=TensorProto.FLOAT)],
        [helper.make_tensor_value_info("x", kind, [3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [3])],
    )
    outputs = load_engine(path).run({"x": np.array([1, 2, 255], dtype)})
    np.testing.assert_array_equal(outputs["y"], [1.0, 2.0, 255.0])


def test_auto_says_what_it_chose_and_why(model, caplog):
    with caplog.at_level("INFO"):
        engine = load_engine(model)
    assert engine.backend.startswith("onnxruntime")
    assert "model.onnx runs on onnxruntime" in caplog.text
    assert "TensorRT is not installed" in caplog.text


def test_a_backend_that_is_not_there_or_unknown(model):
    with pytest.raises(BackendError, match="TensorRT is not installed"):
        load_engine(model, EngineOptions("tensorrt"))
    with pytest.raises(ConfigError, match=r"unknown backend 'tensort'; did you mean 'tensorrt'\?"):
        load_engine(model, EngineOptions("tensort"))


def test_the_robot_file_knows_the_same_backends():
    configured = get_args(EncodersConfig.model_fields["backend"].annotation)
    assert set(configured) == {"auto", *BACKENDS}


def test_a_broken_or_missing_model_is_one_line(tmp_path):
    (tmp_path / "broken.onnx").write_bytes(b"not a model")
    for name in ("broken.onnx", "missing.onnx"):
        with pytest.raises(BackendError, match=rf"cannot load .*{name}") as caught:
            load_engine(tmp_path / name, EngineOptions("onnxruntime"))
        assert "\n" not in str(caught.value)


def test_an_output_with_a_dynamic_axis_is_refused(tmp_path, tiny):
    tiny.write_encoder(tmp_path / "dynamic.onnx", shape=("batch", 4))
    with pytest.raises(BackendError, match=r"embedding: float32 \[batch, 8\] has a dynamic axis"):
        load_engine(tmp_path / "dynamic.onnx", EngineOptions("onnxruntime"))


@pytest.fixture
def row_sums(tmp_path, tiny):
    """`rows` [count, 2] -> `sum` [2]."""
    path = tmp_path / "rows.onnx"
    tiny.save(
        path,
        [helper.make_node("ReduceSum", ["rows", "axis"], ["sum"], keepdims=0)],
        [helper.make_tensor_value_info("rows", TensorProto.FLOAT, ["count", 2])],
        [helper.make_tensor_value_info("sum", TensorProto.FLOAT, [2])],
        [numpy_helper.from_array(np.array([0]), "axis")],
    )
    return load_engine(path, EngineOptions("onnxruntime"))


def test_an_input_with_a_dynamic_axis_takes_any_length(row_sums):
    assert str(row_sums.inputs[0]) == "rows: float32 [count, 2]"
    row_sums.warm_up()
    for count in (3, 1, 1000, 3):
        rows = np.arange(2 * count, dtype=np.float32).reshape(count, 2)
        for given in (rows, np.asfortranarray(rows), rows[::-1]):
            np.testing.assert_array_equal(row_sums.run({"rows": given})["sum"], rows.sum(axis=0))
    for wrong in ((0, 2), (3, 3), (2,)):
        with pytest.raises(BackendError, match=r"'rows' must be float32 \[count, 2\]"):
            row_sums.run({"rows": np.zeros(wrong, np.float32)})


def test_an_input_with_a_dynamic_axis_is_read_at_each_run(row_sums):
    rows = np.ones((4, 2), np.float32)
    row_sums.run({"rows": rows})
    rows[:] = 2
    np.testing.assert_array_equal(row_sums.run({"rows": rows})["sum"], [8, 8])
    del rows
    np.testing.assert_array_equal(row_sums.run({"rows": np.full((9, 2), 3, np.float32)})["sum"], [27, 27])


def test_a_closed_engine_refuses_to_run(engine):
    engine.warm_up()
    engine.close()
    with pytest.raises(BackendError, match="closed"):
        engine.run({"signal": SIGNAL})


class StandInRuntime:
    """ONNX Runtime with a GPU: sessions of the CPU that say they run on what is in `works`."""

    def __init__(self, works: tuple[str, ...]) -> None:
        self.works, self.asked, self.options = works, [], []

    def __getattr__(self, name):
        return getattr(onnxruntime, name)

    def get_available_providers(self):
        return ["TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"]

    def InferenceSession(self, path, options, *, providers, provider_options):  # noqa: N802
        self.asked, self.options = providers, provider_options
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        session.get_providers = lambda: [name for name in providers if name in self.works]
        return session


GPU = ("TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider")


@pytest.mark.parametrize(
    ("provider", "works", "asked", "runs_on"),
    [
        ("auto", GPU, GPU[1:], "CUDA"),
        ("auto", GPU[2:], GPU[1:], "CPU, 1 thread"),
        ("cpu", GPU, GPU[2:], "CPU, 1 thread"),
        ("cuda", GPU, GPU[1:], "CUDA"),
        ("tensorrt", GPU, GPU, "TensorRT"),
    ],
)
def test_a_provider_is_chosen_and_the_one_that_runs_is_named(
    model, monkeypatch, provider, works, asked, runs_on
):
    runtime = StandInRuntime(works)
    monkeypatch.setattr(onnxruntime_engine, "ort", runtime)
    engine = load_engine(model, EngineOptions("onnxruntime", "fp16", provider=provider))
    assert runtime.asked == list(asked)
    assert engine.backend == f"onnxruntime {onnxruntime.__version__} {runs_on}"
    assert runtime.options[0].get("trt_fp16_enable") == ("1" if provider == "tensorrt" else None)
    engine.run({"signal": SIGNAL})


def test_a_provider_that_silently_gives_up_is_refused_when_asked_for(model, monkeypatch):
    monkeypatch.setattr(onnxruntime_engine, "ort", StandInRuntime(GPU[2:]))
    with pytest.raises(BackendError, match="ONNX Runtime has CUDA but cannot start it"):
        load_engine(model, EngineOptions("onnxruntime", provider="cuda"))


def test_a_provider_that_is_not_there_or_unknown(model):
    with pytest.raises(ConfigError, match=r"unknown provider 'cudda'; did you mean 'cuda'\?"):
        load_engine(model, EngineOptions("onnxruntime", provider="cudda"))
    if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
        with pytest.raises(BackendError, match="this ONNX Runtime has no CUDA, only CPU"):
            load_engine(model, EngineOptions("onnxruntime", provider="cuda"))


def test_importing_the_room_loads_no_heavy_library():
    heavy = "('torch', 'zenoh', 'cv2', 'onnxruntime', 'rclpy', 'tensorrt', 'pycuda')"
    code = f"import sys, omnibind_ros.encoder; print(*[m for m in {heavy} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == ""
