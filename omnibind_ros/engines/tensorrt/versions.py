"""All differences between TensorRT 8.6 (JetPack 6.0), 10.3 (6.1, 6.2), 10.13 (7) and 11.

                     8.6            10.3, 10.13                    11
    precision        builder flags  types of the ONNX file         types of the ONNX file
                     and layers     (strongly typed network)
    progress         none           IProgressMonitor               IProgressMonitor
    DLA              fp16           fp16, weakly typed; to 10.7    from 11.4.1, typed by the ONNX file

The rest of the API that this package uses has the same names and arguments in all versions.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Any

from omnibind_ros.engines.tensorrt.plan import PlanOptions
from omnibind_ros.errors import BackendError

OLDEST = (8, 6)

_UNTYPED_LAYERS = ("CONSTANT", "SHAPE", "CAST", "IDENTITY", "QUANTIZE", "DEQUANTIZE")
"""Layers that compute nothing, or that define their own type."""


@dataclass(frozen=True)
class TensorRT:
    """The library and its version."""

    api: Any
    """the module `tensorrt`"""
    version: str

    @property
    def reports_progress(self) -> bool:
        return hasattr(self.api, "IProgressMonitor")

    def create_network(self, builder: Any, options: PlanOptions) -> Any:
        """An empty network; strongly typed, i.e. typed by the ONNX file, if this version supports it."""
        flags = self.api.NetworkDefinitionCreationFlag
        wanted = flags.STRONGLY_TYPED if self._strongly_typed(options) else flags.EXPLICIT_BATCH
        return builder.create_network(1 << int(wanted))

    def set_precision(self, network: Any, config: Any, options: PlanOptions) -> None:
        """Make a weakly typed network compute in the types of its ONNX file."""
        if self._strongly_typed(options):
            return
        flags = self.api.BuilderFlag
        if options.precision == "int8":
            # Q and DQ nodes mark what is int8; without the flag FP16 everything else stays fp32.
            config.set_flag(flags.INT8)
        elif options.precision == "fp16":
            on_dla = options.dla_core is not None
            config.set_flag(flags.FP16)
            # DLA has no fp32: there the constraints are preferences, which GPU fallback fulfils.
            config.set_flag(
                flags.PREFER_PRECISION_CONSTRAINTS if on_dla else flags.OBEY_PRECISION_CONSTRAINTS
            )
            self._pin_types(network)

    def use_dla(self, builder: Any, config: Any, parser: Any, options: PlanOptions) -> None:
        """Assign supported layers to a DLA core, the others to the GPU; call it before parsing.

        Raises:
            BackendError: there is no such core, or it does not support this precision.
        """
        core, count = options.dla_core, builder.num_DLA_cores
        if core is None:
            return
        if core >= count:
            has = f"has {count} DLA cores" if count else "has no DLA"
            raise BackendError(
                f"dla_core {core}: this board with TensorRT {self.version} {has}; remove dla_core"
            )
        if options.precision != "fp16":
            raise BackendError(
                f"dla_core {core}: DLA computes in fp16, not {options.precision}; set precision: fp16"
            )
        config.default_device_type = self.api.DeviceType.DLA
        config.DLA_core = core
        config.set_flag(self.api.BuilderFlag.GPU_FALLBACK)
        if hasattr(self.api.OnnxParserFlag, "ADJUST_FOR_DLA"):
            parser.set_flag(self.api.OnnxParserFlag.ADJUST_FOR_DLA)

    def _strongly_typed(self, options: PlanOptions) -> bool:
        if not hasattr(self.api.NetworkDefinitionCreationFlag, "STRONGLY_TYPED"):
            return False
        # As in trtexec of TensorRT 10, DLA gets a weakly typed network where the version has them.
        return options.dla_core is None or not hasattr(self.api.BuilderFlag, "FP16")

    def _pin_types(self, network: Any) -> None:
        """Propagate the types of the ONNX file through the network and constrain every layer to them.

        The operands of an ONNX operator have one type: a layer has the type of its first input that is not a
        constant; casts change it.
        """
        api, types = self.api, {}
        for index in range(network.num_inputs):
            tensor = network.get_input(index)
            types[tensor.name] = tensor.dtype
        for index in range(network.num_layers):
            layer = network.get_layer(index)
            inputs = [layer.get_input(i) for i in range(layer.num_inputs)]
            outputs = [layer.get_output(i) for i in range(layer.num_outputs)]
            dtype = next((types[tensor.name] for tensor in inputs if tensor and tensor.name in types), None)
            if layer.type == api.LayerType.CAST:
                layer.__class__ = api.ICastLayer  # the binding returns the base class
                dtype = layer.to_type
            elif layer.num_outputs and layer.output_type_is_set(0):
                dtype = layer.get_output_type(0)
            if dtype is None:
                continue
            types.update((tensor.name, dtype) for tensor in outputs)
            floating = dtype in (api.DataType.FLOAT, api.DataType.HALF)
            if not floating or layer.type.name in _UNTYPED_LAYERS:
                continue
            layer.precision = dtype
            for number, tensor in enumerate(outputs):
                if tensor.dtype in (api.DataType.FLOAT, api.DataType.HALF):  # not indices, not comparisons
                    layer.set_output_type(number, dtype)


def load_tensorrt() -> TensorRT:
    """The installed TensorRT.

    Raises:
        BackendError: it is not installed, cannot be loaded or is too old.
    """
    try:
        api = import_module("tensorrt")
    except ModuleNotFoundError as error:
        raise BackendError(f"TensorRT is not installed (no Python module {error.name!r})") from error
    except ImportError as error:
        raise BackendError(f"TensorRT cannot be loaded: {' '.join(str(error).split())}") from error
    version = str(api.__version__)
    if tuple(int(part) for part in version.split(".")[:2]) < OLDEST:
        raise BackendError(f"TensorRT {version} is too old; install 8.6 (JetPack 6.0) or newer")
    return TensorRT(api, version)
