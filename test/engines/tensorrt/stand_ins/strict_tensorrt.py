"""A pretended `tensorrt` module of one version, on a `StrictGpu`; it computes with ONNX Runtime.

What exists, and with which arguments, comes from `tensorrt_api.json`, which is read from the sources of
TensorRT's own binding. The rules of use are those of its headers (include/NvInfer.h, NvInferRuntime.h) and of
its guides: what TensorRT answers with None or False and a line in its log is answered so here. What this
package has no use for raises `NotImplementedError`, so that nothing passes by not being looked at.

A "plan" holds the ONNX file and what it was built for. Faults are asked for by $STRICT_TENSORRT_FAULT
(`memory`, `context memory`, `operator`, `crash`, `slow`); each build adds a line to $STRICT_TENSORRT_LOG.
"""

from __future__ import annotations

import enum
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from strict_cuda import ALIGNMENT, StrictGpu

API = json.loads(Path(__file__).with_name("tensorrt_api.json").read_text())
VERSIONS = {"8.6": "8.6.1", "10.3": "10.3.0", "10.13": "10.13.3", "11.1": "11.1.0"}
"""A key of the file, and the `__version__` of such a release."""

_MAGIC = b"strict plan\n"
_TIMINGS = b"strict timings\n"
_ONNX_TYPES = {1: "FLOAT", 2: "UINT8", 3: "INT8", 6: "INT32", 7: "INT64", 9: "BOOL", 10: "HALF"}
_LAYERS = {
    "Conv": "CONVOLUTION",
    "Cast": "CAST",
    "QuantizeLinear": "QUANTIZE",
    "DequantizeLinear": "DEQUANTIZE",
}


def from_environment(gpu: StrictGpu) -> Any:
    return make_tensorrt(os.environ["STRICT_TENSORRT"], gpu)


def make_tensorrt(release: str, gpu: StrictGpu) -> Any:
    """The module `tensorrt` of a release of `VERSIONS`."""
    api, module = API[release], ModuleType("tensorrt")
    trt: Any = module
    trt.__version__ = VERSIONS[release]
    for name, values in api["enums"].items():
        if "." not in name:
            setattr(trt, name, _enumeration(name, values))
    strict = _Strict(api["classes"], trt)
    old = release == "8.6"

    class ILogger:
        Severity = _enumeration("Severity", api["enums"]["ILogger.Severity"])

        def __init__(self) -> None:
            self._constructed = True

        def log(self, severity: Any, msg: str) -> None:
            raise RuntimeError('Tried to call pure virtual function "ILogger::log"')

    trt.ILogger = ILogger
    if "IProgressMonitor" in api["classes"]:

        class IProgressMonitor:
            def __init__(self) -> None:
                self._constructed = True

        trt.IProgressMonitor = IProgressMonitor

    def constructed(thing: Any, kind: type) -> Any:
        if not isinstance(thing, kind) or not getattr(thing, "_constructed", False):
            raise TypeError(f"{kind.__name__}.__init__() must be called when overriding __init__")
        return thing

    def complain(logger: Any, text: str) -> None:
        logger.log(ILogger.Severity.ERROR, text)

    def weak(network: Any) -> bool:
        return old or (release.startswith("10") and not network._flags & 1 << int(_strong(trt)))

    # -------- building

    class Builder:
        def construct(self: Any, logger: Any) -> None:
            self._logger = constructed(logger, ILogger)

        def create_builder_config(self: Any) -> Any:
            return strict.make("IBuilderConfig", _builder=self)

        def create_network(self: Any, flags: int = 0) -> Any:
            _need(flags, int)
            return strict.make("INetworkDefinition", _builder=self, _flags=flags, _layers=None, _inputs=[])

        def get_num_DLA_cores(self: Any) -> int:  # noqa: N802
            return gpu.dla_cores

        def build_serialized_network(self: Any, network: Any, config: Any) -> Any:
            gpu.need_context("cudaMalloc")
            _need(network, trt.INetworkDefinition)
            _need(config, trt.IBuilderConfig)
            assert network._builder is self and config._builder is self, "made by another builder"
            if log := os.environ.get("STRICT_TENSORRT_LOG"):
                with Path(log).open("a") as file:
                    file.write(f"{os.getpid()} {network._model_name}\n")
            problem = unbuildable(network, config)
            if not progress(config):
                problem = "Build was cancelled by the progress monitor"
            if problem:
                complain(self._logger, f"[builder.cpp::buildSerializedNetwork::1] Error Code 4: {problem}")
                return None
            config._timings = _TIMINGS + b"some"
            header = {
                "version": trt.__version__,
                "gpu": gpu.name,
                "capability": gpu.capability,
                "computes_in": computes_in(network, config),
                "flags": sorted(flag.name for flag in config._flags),
                "dla": config._values.get("DLA_core"),
            }
            return HostMemory(_MAGIC + json.dumps(header).encode() + b"\n" + network._onnx)

    def unbuildable(network: Any, config: Any) -> str:
        flags = {flag.name for flag in config._flags}
        if network._layers is None:
            return "Network has no layers"
        if old and not network._flags & 1:
            return "the ONNX parser needs a network of explicit batch"
        asked = flags & {"FP16", "INT8", "OBEY_PRECISION_CONSTRAINTS", "PREFER_PRECISION_CONSTRAINTS"}
        if asked and not weak(network):
            return f"{', '.join(sorted(asked))} must not be set for a strongly typed network"
        kinds = {layer._kind for layer in network._layers}
        if weak(network) and "QUANTIZE" in kinds and "INT8" not in flags:
            return "Q/DQ layers need the builder flag INT8"
        if weak(network) and "HALF" in {layer._type for layer in network._layers} and "FP16" not in flags:
            return "Half precision tensors need the builder flag FP16"
        if config._values.get("default_device_type") is trt.DeviceType.DLA:
            if not 0 <= config._values.get("DLA_core", -1) < gpu.dla_cores:
                return "DLA core is not set"
            if "GPU_FALLBACK" not in flags:
                return "a layer cannot run on DLA and GPU fallback is not enabled"
        fault = os.environ.get("STRICT_TENSORRT_FAULT")
        if fault == "crash":
            os.abort()
        return "OutOfMemory (Requested size was 268435456 bytes.)" if fault == "memory" else ""

    def computes_in(network: Any, config: Any) -> dict[str, str]:
        """The type in which each floating layer is computed; where it is free, the lowest allowed."""
        flags = {flag.name for flag in config._flags}
        lowest = "HALF" if "FP16" in flags else "FLOAT"
        constrained = flags & {"OBEY_PRECISION_CONSTRAINTS", "PREFER_PRECISION_CONSTRAINTS"}
        computed = {}
        for layer in network._layers:
            if layer._type in ("FLOAT", "HALF") and layer._kind not in ("CONSTANT", "CAST"):
                asked = layer._values.get("precision")
                kept = asked.name if constrained and asked else lowest
                computed[layer._outputs[0]._name] = kept if weak(network) else layer._type
        return computed

    def progress(config: Any) -> bool:
        """Nested phases, as TensorRT has them; False if the monitor cancels."""
        pause = 0.2 if os.environ.get("STRICT_TENSORRT_FAULT") == "slow" else 0.0
        monitor = config._values.get("progress_monitor")
        if monitor is None:
            time.sleep(600 * pause)
            return True
        constructed(monitor, trt.IProgressMonitor)
        go_on = True
        monitor.phase_start("Building Engine", None, 3)
        for step in range(3):
            monitor.phase_start("Computing profile costs", "Building Engine", 10)
            for inner in range(10):
                time.sleep(pause)
                go_on &= monitor.step_complete("Computing profile costs", inner) is True
            monitor.phase_finish("Computing profile costs")
            go_on &= monitor.step_complete("Building Engine", step) is True
        monitor.phase_finish("Building Engine")
        return go_on

    class IBuilderConfig:
        def set_flag(self: Any, flag: Any) -> None:
            self._flags.add(_need(flag, trt.BuilderFlag))

        def clear_flag(self: Any, flag: Any) -> None:
            self._flags.discard(_need(flag, trt.BuilderFlag))

        def set_memory_pool_limit(self: Any, pool: Any, pool_size: int) -> None:
            self._pools[_need(pool, trt.MemoryPoolType)] = _need(pool_size, int)

        def create_timing_cache(self: Any, serialized_timing_cache: Any) -> Any:
            content = bytes(memoryview(serialized_timing_cache))
            if content and not content.startswith(_TIMINGS):
                complain(self._builder._logger, "the timing cache is corrupt")
                return None
            return strict.make("ITimingCache", _config=self)

        def set_timing_cache(self: Any, cache: Any, ignore_mismatch: bool) -> bool:
            _need(ignore_mismatch, bool)
            self._cache = _need(cache, trt.ITimingCache)
            return True

        def get_timing_cache(self: Any) -> Any:
            return self._cache

        def set_progress_monitor(self: Any, monitor: Any) -> None:
            self._values["progress_monitor"] = _need(monitor, trt.IProgressMonitor)

        def set_default_device_type(self: Any, kind: Any) -> None:
            self._values["default_device_type"] = _need(kind, trt.DeviceType)

        def set_DLA_core(self: Any, core: int) -> None:  # noqa: N802
            self._values["DLA_core"] = _need(core, int)

    class ITimingCache:
        def serialize(self: Any) -> Any:
            return HostMemory(self._config._timings)

    class HostMemory(bytes):
        """Has the buffer protocol, and that is all that is used of it."""

    # -------- networks

    class OnnxParser:
        def construct(self: Any, network: Any, logger: Any) -> None:
            self._network = _need(network, trt.INetworkDefinition)
            self._logger, self._errors, self._flags = constructed(logger, ILogger), [], set()

        def parse_from_file(self: Any, model: str) -> bool:
            path = Path(_need(model, str))
            try:
                parsed = onnx.load(path)
                onnx.checker.check_model(parsed)
            except Exception as error:
                complain(self._logger, f"Failed to parse ONNX model from file: {path}")
                self._errors.append(f"In node -1 (importModel): INVALID_GRAPH: {error}")
                return False
            if os.environ.get("STRICT_TENSORRT_FAULT") == "operator":
                self._errors.append("In node 3 (parseNode): UNSUPPORTED_NODE: No importer for 'Frobnicate'")
                return False
            import_model(self._network, parsed, path)
            return True

        def get_num_errors(self: Any) -> int:
            return len(self._errors)

        def get_error(self: Any, index: int) -> Any:
            return strict.make("ParserError", _desc=self._errors[index])

        def set_flag(self: Any, flag: Any) -> None:
            self._flags.add(_need(flag, trt.OnnxParserFlag))

    class ParserError:
        def desc(self: Any) -> str:
            return str(self._desc)

    def import_model(network: Any, model: Any, path: Path) -> None:
        network._onnx, network._model_name = path.read_bytes(), path.name
        inferred = onnx.shape_inference.infer_shapes(model).graph
        values = [*inferred.input, *inferred.value_info, *inferred.output]
        types = {value.name: _ONNX_TYPES[value.type.tensor_type.elem_type] for value in values}
        types |= {constant.name: _ONNX_TYPES[constant.data_type] for constant in inferred.initializer}

        def tensor(name: str, known: bool = False) -> Any:
            dtype = types.get(name, "FLOAT")
            # Of a weakly typed network only inputs and whole numbers have a type before it is built.
            seen = dtype if known or dtype not in ("FLOAT", "HALF") or not weak(network) else "FLOAT"
            return strict.make("ITensor", _name=name, _dtype=_narrowed(seen, old))

        network._inputs = [tensor(value.name, known=True) for value in inferred.input]
        for made, value in zip(network._inputs, inferred.input, strict=True):
            made._shape = tuple(axis.dim_value or -1 for axis in value.type.tensor_type.shape.dim)
        network._layers = []
        for constant in inferred.initializer:
            network._layers.append(layer("CONSTANT", [], [tensor(constant.name)], types[constant.name]))
        for node in inferred.node:
            kind = "CONSTANT" if node.op_type == "Constant" else _LAYERS.get(node.op_type, "ELEMENTWISE")
            inputs = [tensor(name) for name in node.input if name]
            made = layer(kind, inputs, [tensor(name) for name in node.output], types.get(node.output[0], ""))
            if kind == "CAST":
                made._to_type = getattr(trt.DataType, made._type)
            network._layers.append(made)

    def layer(kind: str, inputs: list[Any], outputs: list[Any], dtype: str) -> Any:
        return strict.make("ILayer", _kind=kind, _inputs=inputs, _outputs=outputs, _type=dtype, _set={})

    class INetworkDefinition:
        def get_num_layers(self: Any) -> int:
            return len(self._layers)

        def get_num_inputs(self: Any) -> int:
            return len(self._inputs)

        def get_input(self: Any, index: int) -> Any:
            return self._inputs[index]

        def get_layer(self: Any, index: int) -> Any:
            return self._layers[index]

    class ILayer:
        def get_type(self: Any) -> Any:
            return getattr(trt.LayerType, self._kind)

        def get_num_inputs(self: Any) -> int:
            return len(self._inputs)

        def get_num_outputs(self: Any) -> int:
            return len(self._outputs)

        def get_input(self: Any, index: int) -> Any:
            return self._inputs[index]

        def get_output(self: Any, index: int) -> Any:
            return self._outputs[index]

        def set_precision(self: Any, dtype: Any) -> None:
            assert self._type in ("FLOAT", "HALF"), f"a layer of {self._type} computes in no float"
            self._values["precision"] = _need(dtype, trt.DataType)

        def set_output_type(self: Any, index: int, dtype: Any) -> None:
            self._set[index] = _need(dtype, trt.DataType)

        def output_type_is_set(self: Any, index: int) -> bool:
            return index in self._set

        def get_output_type(self: Any, index: int) -> Any:
            return self._set.get(index, trt.DataType.FLOAT)

    class ICastLayer(ILayer):
        def get_to_type(self: Any) -> Any:
            return self._to_type

    class ITensor:
        def get_name(self: Any) -> str:
            return str(self._name)

        def get_dtype(self: Any) -> Any:
            return getattr(trt.DataType, self._dtype)

        def get_shape(self: Any) -> tuple[int, ...]:
            assert hasattr(self, "_shape"), "only inputs have a shape here"
            return tuple(self._shape)

    # -------- running

    class Runtime:
        def construct(self: Any, logger: Any) -> None:
            self._logger = constructed(logger, ILogger)

        def set_DLA_core(self: Any, core: int) -> None:  # noqa: N802
            self._values["DLA_core"] = _need(core, int)

        def deserialize_cuda_engine(self: Any, serialized_engine: Any) -> Any:
            gpu.need_context("cudaGetDevice")
            content = bytes(memoryview(serialized_engine))
            end = content.find(b"\n", len(_MAGIC))
            if not content.startswith(_MAGIC) or end < 0:
                complain(self._logger, "Serialization assertion magicTagRead == kMAGIC_TAG failed")
                return None
            header = json.loads(content[len(_MAGIC) : end])
            if header["version"] != trt.__version__:
                complain(self._logger, "Serialization (Serialization assertion stdVersionRead failed.)")
                return None
            if (header["gpu"], tuple(header["capability"])) != (gpu.name, gpu.capability):
                complain(self._logger, "The engine plan file is generated on an incompatible device")
                return None
            if header["dla"] != self._values.get("DLA_core"):
                complain(self._logger, "the plan needs DLA, and the runtime has no DLA core set")
                return None
            session = ort.InferenceSession(content[end + 1 :], providers=["CPUExecutionProvider"])
            return strict.make("ICudaEngine", _session=session, _logger=self._logger, _header=header)

    class ICudaEngine:
        def get_num_io_tensors(self: Any) -> int:
            return len(nodes(self))

        def get_tensor_name(self: Any, index: int) -> str:
            return str(nodes(self)[index].name)

        def get_tensor_mode(self: Any, name: str) -> Any:
            inputs = {node.name for node in self._session.get_inputs()}
            return trt.TensorIOMode.INPUT if node_of(self, name).name in inputs else trt.TensorIOMode.OUTPUT

        def get_tensor_shape(self: Any, name: str) -> tuple[int, ...]:
            return tuple(length if isinstance(length, int) else -1 for length in node_of(self, name).shape)

        def get_tensor_dtype(self: Any, name: str) -> Any:
            return getattr(trt.DataType, _narrowed(_ORT_TYPES[node_of(self, name).type][0], old))

        def create_execution_context(self: Any) -> Any:
            gpu.need_context("cudaMalloc")
            if os.environ.get("STRICT_TENSORRT_FAULT") == "context memory":
                complain(
                    self._logger,
                    "[defaultAllocator.cpp::allocate] Error Code 1: Cuda Runtime (out of memory)",
                )
                return None
            return strict.make("IExecutionContext", _engine=self, _addresses={}, _ran=False)

    def nodes(engine: Any) -> list[Any]:
        return [*engine._session.get_inputs(), *engine._session.get_outputs()]

    def node_of(engine: Any, name: str) -> Any:
        return next(node for node in nodes(engine) if node.name == _need(name, str))

    class IExecutionContext:
        def set_tensor_address(self: Any, name: str, memory: int) -> bool:
            engine = self._engine
            if name not in {node.name for node in nodes(engine)}:
                complain(engine._logger, f"Given invalid tensor name: {name}.")
                return False
            if _need(memory, int) % ALIGNMENT:
                complain(engine._logger, "memory must be 256-byte aligned")
                return False
            self._addresses[name] = memory
            return True

        def execute_async_v3(self: Any, stream_handle: int) -> bool:
            gpu.need_context("enqueueV3")
            engine = self._engine
            stream = gpu.streams[_need(stream_handle, int)]
            for node in nodes(engine):
                if not self._addresses.get(node.name):
                    complain(engine._logger, f"Address is not set for tensor {node.name}.")
                    return False
            if stream.captured is not None and (not self._ran or gpu.name == "uncapturable"):
                stream.invalid = True
                complain(engine._logger, "Cuda Runtime (operation not permitted when stream is capturing)")
                return False
            self._ran = True
            addresses = dict(self._addresses)

            def compute() -> None:
                def memory(node: Any) -> np.ndarray:
                    dtype = np.dtype(_ORT_TYPES[node.type][1])
                    size = int(np.prod(node.shape)) * dtype.itemsize
                    block = gpu.view(addresses[node.name], size)
                    return np.frombuffer(block, dtype).reshape(node.shape)

                inputs = {node.name: memory(node) for node in engine._session.get_inputs()}
                results = engine._session.run(None, inputs)
                for node, result in zip(engine._session.get_outputs(), results, strict=True):
                    np.copyto(memory(node), result)

            gpu.enqueue(stream_handle, compute)
            return True

    for behaviour in (Builder, INetworkDefinition, IBuilderConfig, ILayer, ICastLayer, ITensor, OnnxParser,
                      ParserError, Runtime, ICudaEngine, IExecutionContext, ITimingCache):  # fmt: skip
        strict.add(behaviour)
    return module


_ORT_TYPES = {
    "tensor(float)": ("FLOAT", np.float32),
    "tensor(float16)": ("HALF", np.float16),
    "tensor(uint8)": ("UINT8", np.uint8),
    "tensor(int8)": ("INT8", np.int8),
    "tensor(int64)": ("INT64", np.int64),
    "tensor(int32)": ("INT32", np.int32),
    "tensor(bool)": ("BOOL", np.bool_),
}


def _strong(trt: Any) -> Any:
    return trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED


def _narrowed(dtype: str, old: bool) -> str:
    """TensorRT 8.6 knows no 64-bit integers and reads them as 32."""
    return "INT32" if old and dtype == "INT64" else dtype


def _need(value: Any, kind: type) -> Any:
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise TypeError(f"incompatible function arguments: {value!r} is no {kind.__name__}")
    return value


def _enumeration(name: str, values: list[str]) -> Any:
    """As pybind11 makes them: equal only to themselves, a number only if asked by `int`."""
    made = enum.Enum(name, {value: number for number, value in enumerate(values)})  # type: ignore[misc]
    made.__int__ = lambda self: self.value  # type: ignore[attr-defined]
    return made


class _Strict:
    """Makes classes that have the members of the table and no others."""

    def __init__(self, table: dict[str, dict[str, Any]], module: Any) -> None:
        self._table, self._module = table, module

    def add(self, behaviour: type) -> None:
        name = behaviour.__name__
        bases = [base.__name__ for base in behaviour.__mro__[1:-1]]
        members = {key: kind for known in [*bases, name] for key, kind in self._table[known].items()}
        space: dict[str, Any] = {"__setattr__": _guarded(members), "__slots__": ("__dict__", "__weakref__")}
        for member, kind in members.items():
            if member.startswith("__"):
                continue
            if isinstance(kind, str):
                getter = getattr(behaviour, f"get_{member}", _unmodelled(name, member))
                setter = getattr(behaviour, f"set_{member}", _unmodelled(name, member))
                space[member] = property(getter if "get" in kind else None, setter if "set" in kind else None)
            else:
                space[member] = _method(name, member, kind, getattr(behaviour, member, None))
        if construct := getattr(behaviour, "construct", None):
            begin = _method(name, "__init__", self._table[name]["__init__"], construct)
            space["__init__"] = lambda self, *args, **named: (_begin(self), begin(self, *args, **named))[0]
        setattr(self._module, name, type(name, (), space))

    def make(self, name: str, **state: Any) -> Any:
        """An object that only the library itself makes."""
        made = object.__new__(getattr(self._module, name))
        _begin(made)
        made.__dict__.update(state)
        return made


def _begin(made: Any) -> None:
    made.__dict__.update(_values={}, _flags=set(), _pools={}, _cache=None, _timings=b"")


def _guarded(members: dict[str, Any]) -> Callable[[Any, str, Any], None]:
    def set_attribute(self: Any, name: str, value: Any) -> None:
        # `__class__`: a layer is turned into its own kind so, as NVIDIA's samples do.
        if name not in members and not name.startswith("_"):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        object.__setattr__(self, name, value)

    return set_attribute


def _method(name: str, member: str, overloads: list[list[str]], work: Any) -> Any:
    def call(self: Any, *given: Any, **named: Any) -> Any:
        for overload in overloads:
            parameters = [argument.rstrip("=") for argument in overload]
            optional = {argument[:-1] for argument in overload if argument.endswith("=")}
            bound = dict(zip(parameters, given, strict=False)) | named
            clash = set(parameters[: len(given)]) & named.keys()
            if (
                len(given) <= len(parameters)
                and not clash
                and set(parameters) - optional <= bound.keys() <= set(parameters)
            ):
                if work is None:
                    raise NotImplementedError(f"the stand-in does not model {name}.{member}")
                return work(self, **bound)
        raise TypeError(f"{member}(): incompatible function arguments: {given} {named}; it has {overloads}")

    return call


def _unmodelled(name: str, member: str) -> Any:
    def access(*given: Any) -> Any:
        raise NotImplementedError(f"the stand-in does not model {name}.{member}")

    return access
