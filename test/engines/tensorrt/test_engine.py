"""The backend against a stand-in that has just what each version of TensorRT has, and is as strict."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from omnibind_ros.engines.engine import EngineOptions, load_engine
from omnibind_ros.engines.tensorrt.build import BuildProgress, build_plan
from omnibind_ros.engines.tensorrt.log import make_log
from omnibind_ros.engines.tensorrt.plan import PlanMissing, PlanOptions
from omnibind_ros.engines.tensorrt.versions import TensorRT
from omnibind_ros.errors import BackendError

SIGNAL = np.array([[1.0, 2.0, 3.0, 4.0]], np.float32)


def write_half(path: Path, tiny) -> None:
    """float32 in and out, the product in fp16, the norm in float32."""
    weights = np.random.default_rng(0).normal(size=(4, tiny.dim)).astype(np.float16)
    nodes = [
        helper.make_node("Cast", ["signal"], ["half"], to=TensorProto.FLOAT16),
        helper.make_node("MatMul", ["half", "weights"], ["product"]),
        helper.make_node("Cast", ["product"], ["raw"], to=TensorProto.FLOAT),
        helper.make_node("ReduceL2", ["raw", "axis"], ["norm"], keepdims=1),
        helper.make_node("Div", ["raw", "norm"], ["embedding"]),
        helper.make_node("Log", ["norm"], ["log"]),
        helper.make_node("Reshape", ["log", "one"], ["evidence"]),
    ]
    constants = [
        numpy_helper.from_array(weights, "weights"),
        numpy_helper.from_array(np.array([1], np.int64), "axis"),
        numpy_helper.from_array(np.array([1], np.int64), "one"),
    ]
    inputs = [helper.make_tensor_value_info("signal", TensorProto.FLOAT, [1, 4])]
    outputs = [
        helper.make_tensor_value_info("embedding", TensorProto.FLOAT, [1, tiny.dim]),
        helper.make_tensor_value_info("evidence", TensorProto.FLOAT, [1]),
    ]
    tiny.save(path, nodes, inputs, outputs, constants)


def write_quantized(path: Path, tiny) -> None:
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "scale", "zero"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "scale", "zero"], ["dq"]),
        helper.make_node("Relu", ["dq"], ["y"]),
    ]
    constants = [
        numpy_helper.from_array(np.array(0.1, np.float32), "scale"),
        numpy_helper.from_array(np.array(0, np.int8), "zero"),
    ]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [3]) for name in "xy"]
    tiny.save(path, nodes, ends[:1], ends[1:], constants)


@pytest.fixture
def model(tmp_path, tiny):
    path = tmp_path / "image.fp32.onnx"
    tiny.write_encoder(path)
    return path


def built(path: Path, options: PlanOptions | None = None):
    options = options or PlanOptions()
    build_plan(path, options)
    return load_engine(path, EngineOptions("tensorrt", **asdict(options)))


def facts(path: Path, options: PlanOptions) -> dict[str, Any]:
    """What the stand-in was asked to build."""
    plan = build_plan(path, options).read_bytes()
    return json.loads(plan[plan.index(b"strict plan\n") :].splitlines()[1])


def test_every_version_computes_what_onnx_runtime_computes(any_robot, model):
    engine = built(model)
    engine.warm_up()
    reference = load_engine(model, EngineOptions("onnxruntime"))
    assert engine.inputs == reference.inputs
    assert engine.outputs == reference.outputs
    for signal in (SIGNAL, -SIGNAL, SIGNAL[:, ::-1].copy()):
        for name, values in reference.run({"signal": signal}).items():
            np.testing.assert_array_equal(engine.run({"signal": signal})[name], values)
    assert engine.backend == f"tensorrt {any_robot.tensorrt.__version__} Orin"


def test_a_dynamic_axis_is_refused_before_the_build(any_robot, tmp_path, tiny):
    tiny.write_encoder(tmp_path / "dynamic.onnx", shape=("batch", 4))
    with pytest.raises(BackendError, match=r"input 'signal' has a dynamic axis, shape \[-1, 4\]; use"):
        build_plan(tmp_path / "dynamic.onnx", PlanOptions())


def test_inference_is_one_cuda_graph_and_leaves_nothing_behind(any_robot, model):
    engine = built(model)
    engine.warm_up()
    warm = any_robot.gpu.launches
    assert warm == 1
    for _ in range(3):
        engine.run({"signal": SIGNAL})
    assert any_robot.gpu.launches == warm + 3
    engine.close()
    assert not any_robot.gpu.memory, "device memory is not given back"
    assert not any_robot.gpu.graphs
    assert not any_robot.gpu.leaked
    assert not any_robot.gpu.contexts, "our context stays current"
    with pytest.raises(BackendError, match="closed"):
        engine.run({"signal": SIGNAL})


def test_a_model_that_cannot_be_captured_runs_without_a_graph(robot, model, caplog):
    robot.become("10.3", name="uncapturable")
    engine = built(model)
    with caplog.at_level("INFO"):
        engine.warm_up()
    assert "image.fp32 runs without a CUDA graph: TensorRT failed" in caplog.text
    expected = load_engine(model, EngineOptions("onnxruntime")).run({"signal": SIGNAL})
    np.testing.assert_array_equal(engine.run({"signal": SIGNAL})["embedding"], expected["embedding"])
    assert robot.gpu.launches == 0


def test_several_engines_share_one_primary_context(robot, model):
    for _ in range(3):
        built(model).run({"signal": SIGNAL})
    assert robot.gpu.retained == 1


def test_inputs_are_checked_before_they_reach_the_gpu(robot, model):
    with pytest.raises(BackendError, match=r"input 'signal' must be float32 \[1, 4\], got float64"):
        built(model).run({"signal": SIGNAL.astype(np.float64)})


def test_precision_is_that_of_the_onnx_file(any_robot, tmp_path, tiny):
    write_half(tmp_path / "image.fp16.onnx", tiny)
    asked = facts(tmp_path / "image.fp16.onnx", PlanOptions("fp16"))
    assert asked["computes_in"] == {
        "product": "HALF", "norm": "FLOAT", "embedding": "FLOAT", "log": "FLOAT", "evidence": "FLOAT"
    }  # fmt: skip
    weakly_typed = any_robot.tensorrt.__version__.startswith("8")
    assert asked["flags"] == (["FP16", "OBEY_PRECISION_CONSTRAINTS"] if weakly_typed else [])


def test_int8_is_where_the_file_quantizes_and_nowhere_else(any_robot, tmp_path, tiny):
    write_quantized(tmp_path / "image.int8.onnx", tiny)
    asked = facts(tmp_path / "image.int8.onnx", PlanOptions("int8"))
    assert asked["flags"] == (["INT8"] if any_robot.tensorrt.__version__.startswith("8") else [])
    assert asked["computes_in"]["y"] == "FLOAT"
    engine = load_engine(tmp_path / "image.int8.onnx", EngineOptions("tensorrt", "int8"))
    outputs = engine.run({"x": np.array([-1.0, 0.26, 3.0], np.float32)})
    np.testing.assert_allclose(outputs["y"], [0.0, 0.3, 3.0], rtol=1e-6)


def test_dla_with_the_gpu_for_the_rest(any_robot, tmp_path, tiny):
    write_half(tmp_path / "image.fp16.onnx", tiny)
    options = PlanOptions("fp16", dla_core=1)
    asked = facts(tmp_path / "image.fp16.onnx", options)
    assert asked["dla"] == 1
    assert "GPU_FALLBACK" in asked["flags"]
    weakly_typed = not any_robot.tensorrt.__version__.startswith("11")
    assert ("PREFER_PRECISION_CONSTRAINTS" in asked["flags"]) == weakly_typed
    engine = load_engine(tmp_path / "image.fp16.onnx", EngineOptions("tensorrt", **asdict(options)))
    assert engine.backend.endswith("Orin DLA 1")
    engine.run({"signal": SIGNAL})


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (PlanOptions("fp16", dla_core=2), "dla_core 2: this board with TensorRT 10.3.0 has 2 DLA cores"),
        (PlanOptions("fp32", dla_core=0), "DLA computes in fp16, not fp32; set precision: fp16"),
    ],
)
def test_a_dla_that_is_not_there_or_cannot(robot, model, options, expected):
    with pytest.raises(BackendError, match=expected):
        build_plan(model, options)


def test_progress_climbs_where_the_version_tells_it(any_robot, model):
    told: list[BuildProgress] = []
    build_plan(model, PlanOptions(), told.append)
    percents = [progress.percent for progress in told]
    if any_robot.tensorrt.__version__.startswith("8"):
        assert told == [BuildProgress("building", None)]
    else:
        assert percents == sorted(percents)
        assert len(set(percents)) > 20
        assert percents[-1] == 99
        assert {progress.phase for progress in told} >= {"Building Engine", "Computing profile costs"}


def test_kernel_timings_are_kept_and_damaged_ones_ignored(any_robot, model, tmp_path):
    build_plan(model, PlanOptions())
    (timings,) = (tmp_path / "cache" / "plans").glob("timings-*.cache")
    assert b"strict timings" in timings.read_bytes()
    timings.write_bytes(timings.read_bytes()[:-3])
    build_plan(model, PlanOptions(workspace_mb=64))
    assert b"strict timings" in timings.read_bytes()


def test_pictures_go_in_as_bytes(any_robot, tmp_path, tiny):
    path = tmp_path / "bytes.onnx"
    tiny.save(
        path,
        [helper.make_node("Cast", ["x"], ["y"], to=TensorProto.FLOAT)],
        [helper.make_tensor_value_info("x", TensorProto.UINT8, [3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [3])],
    )
    outputs = built(path).run({"x": np.array([1, 2, 255], np.uint8)})
    np.testing.assert_array_equal(outputs["y"], [1.0, 2.0, 255.0])


# -------- what goes wrong


def test_no_plan_yet(robot, model):
    with pytest.raises(
        PlanMissing, match=r"no TensorRT plan of image.fp32 for Orin .* yet; run `omnibind build`"
    ):
        load_engine(model, EngineOptions("tensorrt"))


def test_auto_runs_on_onnx_runtime_until_there_is_a_plan(robot, model, caplog):
    with caplog.at_level("INFO"):
        assert load_engine(model).backend.startswith("onnxruntime")
    assert robot.gpu.retained == 0, "who does not use the GPU takes none of its memory"
    assert "no TensorRT plan of image.fp32" in caplog.text
    build_plan(model, PlanOptions())
    assert load_engine(model).backend.startswith("tensorrt")


def test_no_gpu(robot, model, caplog):
    robot.become("10.3", count=0)
    with pytest.raises(BackendError, match=r"no usable GPU: .*no CUDA-capable device"):
        load_engine(model, EngineOptions("tensorrt"))
    with caplog.at_level("INFO"):
        assert load_engine(model).backend.startswith("onnxruntime")
    assert "no CUDA-capable device" in caplog.text


def test_no_pycuda(robot, model, monkeypatch):
    monkeypatch.setitem(sys.modules, "pycuda", None)
    monkeypatch.delitem(sys.modules, "pycuda.driver")
    with pytest.raises(BackendError, match="TensorRT needs PyCUDA, and the Python module"):
        load_engine(model, EngineOptions("tensorrt"))


def test_an_old_tensorrt(robot, model):
    robot.tensorrt.__version__ = "8.5.2"
    with pytest.raises(
        BackendError, match=r"TensorRT 8.5.2 is too old; install 8.6 \(JetPack 6.0\) or newer"
    ):
        load_engine(model, EngineOptions("tensorrt"))


def test_a_plan_of_another_gpu_version_or_model_is_not_even_looked_at(robot, model, tiny):
    build_plan(model, PlanOptions())
    robot.become("10.13")
    with pytest.raises(PlanMissing):
        load_engine(model, EngineOptions("tensorrt"))
    robot.become("10.3", name="Thor", capability=(11, 0))
    with pytest.raises(PlanMissing):
        load_engine(model, EngineOptions("tensorrt"))
    robot.become("10.3")
    load_engine(model, EngineOptions("tensorrt"))
    tiny.write_encoder(model, dim=tiny.dim + 1)
    with pytest.raises(PlanMissing):
        load_engine(model, EngineOptions("tensorrt"))


def test_a_plan_that_tensorrt_refuses_is_forgotten(robot, model):
    plan = build_plan(model, PlanOptions())
    robot.tensorrt.__version__ = "10.3.0"
    robot.gpu.capability = (8, 6)  # the stand-in's own check, behind the cache's
    with pytest.raises(
        PlanMissing, match=r"refuses the plan of image.fp32: .*incompatible device; run `omnibind build`"
    ):
        load_engine(model, EngineOptions("tensorrt"))
    assert not plan.exists()
    assert not robot.gpu.memory


def test_words_of_tensorrt_are_kept(robot, model, tmp_path):
    robot.fault("memory")
    with pytest.raises(BackendError, match=r"cannot build image.fp32.onnx: .*OutOfMemory \(Requested size"):
        build_plan(model, PlanOptions())
    robot.fault("operator")
    with pytest.raises(BackendError, match=r"cannot read .*image.fp32.onnx: .*No importer for 'Frobnicate'"):
        build_plan(model, PlanOptions())
    assert not list((tmp_path / "cache" / "plans").glob("*.plan*"))


def test_too_little_gpu_memory_to_run(robot, model):
    build_plan(model, PlanOptions())
    robot.fault("context memory")
    with pytest.raises(BackendError, match=r"TensorRT cannot run image.fp32: .*out of memory"):
        load_engine(model, EngineOptions("tensorrt"))
    robot.fault("")
    robot.gpu.total = 16
    with pytest.raises(BackendError, match="out of GPU memory: 0 of 0 MiB are free on Orin"):
        load_engine(model, EngineOptions("tensorrt"))
    assert not robot.gpu.memory, "what was allocated before is not given back"
    assert not robot.gpu.contexts


def test_too_little_gpu_memory_for_a_context(robot, model):
    robot.become("10.3", total=1)
    with pytest.raises(BackendError, match=r"CUDA on Orin cannot create a context: .*out of memory"):
        build_plan(model, PlanOptions())


def test_a_broken_model(robot, tmp_path):
    (tmp_path / "broken.onnx").write_bytes(b"not a model")
    with pytest.raises(BackendError, match=r"TensorRT cannot read .*broken.onnx: .*INVALID_GRAPH"):
        build_plan(tmp_path / "broken.onnx", PlanOptions())
    with pytest.raises(BackendError, match=r"TensorRT cannot load .*missing.onnx: No such file"):
        load_engine(tmp_path / "missing.onnx", EngineOptions("tensorrt"))


# -------- the stand-in is strict: what a version lacks or refuses, it refuses


@pytest.mark.parametrize(
    ("version", "call", "error"),
    [
        ("8.6", lambda t, b, c: t.NetworkDefinitionCreationFlag.STRONGLY_TYPED, AttributeError),
        ("8.6", lambda t, b, c: t.IProgressMonitor, AttributeError),
        ("8.6", lambda t, b, c: setattr(c, "progress_monitor", None), AttributeError),
        ("10.3", lambda t, b, c: setattr(c, "max_workspace_size", 1), AttributeError),
        ("10.3", lambda t, b, c: b.build_engine(b.create_network(), c), AttributeError),
        ("11.1", lambda t, b, c: t.BuilderFlag.FP16, AttributeError),
        ("11.1", lambda t, b, c: t.NetworkDefinitionCreationFlag.EXPLICIT_BATCH, AttributeError),
        ("11.1", lambda t, b, c: b.platform_has_fast_int8, AttributeError),
        ("11.1", lambda t, b, c: c.int8_calibrator, AttributeError),
        ("10.3", lambda t, b, c: t.Builder(), TypeError),
        ("10.3", lambda t, b, c: t.Builder(object()), TypeError),
        ("10.3", lambda t, b, c: c.set_flag("FP16"), TypeError),
        ("10.3", lambda t, b, c: c.set_memory_pool_limit(t.MemoryPoolType.WORKSPACE), TypeError),
        ("10.3", lambda t, b, c: c.set_memory_pool_limit(pool=t.MemoryPoolType.WORKSPACE, size=1), TypeError),
        ("10.3", lambda t, b, c: c.set_timing_cache(c.create_timing_cache(b"")), TypeError),
        ("10.3", lambda t, b, c: b.build_serialized_network(b.create_network(0), c), Exception),  # no context
        ("10.3", lambda t, b, c: c.reset(), NotImplementedError),
    ],
)
def test_the_stand_in_refuses_what_the_version_refuses(robot, version, call, error):
    robot.become(version)
    builder = robot.tensorrt.Builder(make_log(robot.tensorrt))
    config = builder.create_builder_config()
    with pytest.raises(error):
        call(robot.tensorrt, builder, config)


def test_the_stand_in_wants_base_classes_constructed(robot):
    class Forgetful(robot.tensorrt.ILogger):
        def __init__(self):
            pass

    with pytest.raises(TypeError, match=r"ILogger.__init__\(\) must be called"):
        robot.tensorrt.Builder(Forgetful())


def test_the_stand_in_refuses_wrong_use_of_memory_and_order(robot, model):
    build_plan(model, PlanOptions())
    engine = load_engine(model, EngineOptions("tensorrt"))
    cuda, gpu, context = robot.gpu.driver, robot.gpu, engine._context
    with pytest.raises(cuda.LogicError, match="invalid device context"):
        context.execute_async_v3(engine._stream.handle)
    with engine._gpu.active():
        with pytest.raises(TypeError):
            context.set_tensor_address("signal", engine._buffers["signal"].host)
        with pytest.raises(TypeError):
            context.execute_async_v3(engine._stream.cuda)
        with pytest.raises(cuda.LogicError, match="not pinned"):
            cuda.memcpy_htod_async(engine._buffers["signal"].address, SIGNAL, engine._stream.cuda)
        assert not context.set_tensor_address("singal", engine._buffers["signal"].address)
        assert not context.set_tensor_address("signal", engine._buffers["signal"].address + 4)
        fresh = engine._engine.create_execution_context()
        assert not fresh.execute_async_v3(engine._stream.handle), "addresses are not set"
    before = engine.run({"signal": SIGNAL})["embedding"].copy()
    with engine._gpu.active():
        engine._buffers["signal"].host[...] = -SIGNAL
        engine._enqueue()
        np.testing.assert_array_equal(
            engine._buffers["embedding"].host, before, "nothing happens unwaited for"
        )
        engine._stream.synchronize()
    np.testing.assert_array_equal(engine._buffers["embedding"].host, -before)
    with engine._gpu.active():
        engine._buffers["signal"].free()
    with pytest.raises(BackendError, match="illegal memory access"):
        engine.run({"signal": SIGNAL})
    assert not gpu.contexts


def test_a_weakly_typed_network_without_pinned_types_would_compute_in_half(
    tmp_path, tiny, robot, monkeypatch
):
    """The test of precision above can fail: without our care 8.6 takes fp16 for the norm too."""
    robot.become("8.6")
    write_half(tmp_path / "image.fp16.onnx", tiny)
    monkeypatch.setattr(TensorRT, "_pin_types", lambda self, network: None)
    asked = facts(tmp_path / "image.fp16.onnx", PlanOptions("fp16"))
    assert asked["computes_in"]["norm"] == "HALF"


def test_the_shipped_bundle_builds_on_every_version(any_robot):
    for path in sorted((Path(__file__).parents[3] / "engines" / "digits").glob("*.fp32.onnx")):
        engine = built(path)
        (spec,) = engine.inputs
        sample = np.random.default_rng(1).normal(size=spec.shape).astype(np.float32)
        expected = load_engine(path, EngineOptions("onnxruntime")).run({spec.name: sample})
        for name, values in engine.run({spec.name: sample}).items():
            np.testing.assert_allclose(values, expected[name], rtol=1e-5, atol=1e-6)
