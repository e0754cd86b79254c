"""8 bit encoders with explicit Q/DQ nodes, by ONNX Runtime's static quantization, in two forms.

CPUs and GPUs multiply bytes differently, so each has its form:

    u8s8  for CPUs. Activations are uint8 with a zero point, weights int8, as VNNI and ARM's dot products
          take them. A ReLU is the lower end of the range and costs nothing. Weights use 7 of 8 bits: without
          VNNI, x86 adds two products in 16 bits, where 2 x 255 x 127 overflows and 2 x 255 x 63 does not.
    int8  for TensorRT, which requires zero points of 0. Every layer has Q/DQ on its input and weights and
          none on its output, so that ReLU and residual addition fuse with it. Biases stay in float32.
          Weights are stored in float32 before their Q node, because TensorRT 8 reads no others.

Weights have one scale per output channel. Jacob et al., arXiv 1712.05877.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QDQQuantizer,
    QuantType,
    create_calibrator,
)
from onnxruntime.quantization.calibrate import TensorsData  # older ONNX Runtimes do not re-export it

from omnibind_ros.host.export.onnx_graph import WEIGHTED, layers

FORMS = ("u8s8", "int8")

METHODS: dict[str, tuple[CalibrationMethod, dict[str, Any]]] = {
    "minmax": (CalibrationMethod.MinMax, {}),
    "percentile": (CalibrationMethod.Percentile, {"symmetric": False, "percentile": 99.99}),
    "entropy": (CalibrationMethod.Entropy, {"symmetric": False}),
}
"""How a tensor's range follows from its values: minimum and maximum, a percentile, or the range of the least
loss of information (Migacz 2017, "8-bit inference with TensorRT")."""

Ranges = Mapping[str, tuple[float, float]]
"""Lowest and highest value of every tensor by name."""

_AROUND = ("Relu", "Add")  # quantized as well in the form u8s8


def find_ranges(
    model: ModelProto, inputs: Sequence[NDArray[Any]], method: str
) -> dict[str, tuple[float, float]]:
    """The range of every float tensor while the model runs on `inputs`.

    Args:
        model: from `read_graph`.
        inputs: each with a batch axis of 1.
        method: one of `METHODS`.
    """
    how, options = METHODS[method]
    with tempfile.TemporaryDirectory() as folder, _quietly():
        path = Path(folder) / "model.onnx"
        onnx.save(model, path)
        calibrator = create_calibrator(
            path, None, str(Path(folder) / "augmented.onnx"), how, extra_options=options
        )
        calibrator.collect_data(_Reader(model.graph.input[0].name, inputs))
        found = calibrator.compute_data()
    return {
        name: (float(np.min(data.range_value[0])), float(np.max(data.range_value[1])))
        for name, data in found.items()
    }


def quantize(model: ModelProto, ranges: Ranges, form: str, keep: Collection[str] = ()) -> ModelProto:
    """A copy of a model in 8 bits.

    Args:
        model: from `read_graph`.
        ranges: from `find_ranges`.
        form: one of `FORMS`.
        keep: layers (`onnx_graph.layers`) that stay in float32.
    """
    symmetric = form == "int8"
    options: dict[str, Any] = {
        "ActivationSymmetric": symmetric,
        "WeightSymmetric": True,
        # The output of the last layer is normalised, which needs float32.
        "OpTypesToExcludeOutputQuantization": list(WEIGHTED) if symmetric else ["Gemm", "MatMul"],
        "QuantizeBias": not symmetric,
        "AddQDQPairToWeight": symmetric,
        "DedicatedQDQPair": symmetric,
    }
    copy = ModelProto()
    copy.CopyFrom(model)
    nodes = [node.name for node in model.graph.node if node.op_type in WEIGHTED]
    if not symmetric:
        nodes += [node.name for node in model.graph.node if node.op_type in _AROUND]
    values = {name: (np.float32(low), np.float32(high)) for name, (low, high) in ranges.items()}
    with _quietly():
        quantizer = QDQQuantizer(
            copy,
            True,
            not symmetric,
            QuantType.QInt8,
            QuantType.QInt8 if symmetric else QuantType.QUInt8,
            TensorsData(CalibrationMethod.MinMax, values),
            [name for name in nodes if name not in keep],
            list(keep),
            [*WEIGHTED, *(() if symmetric else _AROUND)],
            options,
        )
        quantizer.quantize_model()
        quantizer.model.topological_sort()
    made: ModelProto = quantizer.model.model
    return made


def all_but(model: ModelProto, layer: str) -> list[str]:
    """All layers except one, to `keep` when that one is to be quantized alone."""
    return [name for name in layers(model) if name != layer]


class _Reader(CalibrationDataReader):  # type: ignore[misc]
    def __init__(self, name: str, inputs: Sequence[NDArray[Any]]) -> None:
        self._name, self._inputs = name, iter(inputs)

    def get_next(self) -> dict[str, NDArray[Any]] | None:
        one = next(self._inputs, None)
        return None if one is None else {self._name: one}


@contextmanager
def _quietly() -> Iterator[None]:
    """The tools print progress, and warn about a preparation that `read_graph` has done."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with redirect_stdout(StringIO()):
            yield
    finally:
        logging.disable(before)
