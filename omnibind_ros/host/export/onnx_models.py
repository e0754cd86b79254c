"""Torch -> ONNX: folded batch normalisation, only operators that TensorRT can parse.

All shapes are static but one: the fusion step takes any number of classes.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import torch
from torch import Tensor, nn

from omnibind_ros.host.models.adaptive_fusion import AdaptiveFusionModel

OPSET = 17
"""TensorRT 8.6, the oldest supported, reads ONNX up to this operator set."""


class _EncoderGraph(nn.Module):
    """An encoder with the outputs of a bundle: `embedding` [1, D] and `evidence` [1]."""

    def __init__(self, student: nn.Module) -> None:
        super().__init__()
        self.student = student

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        embedding, evidence = self.student(x)
        return embedding, evidence.reshape(1)


def export_student(student: nn.Module, input_shape: tuple[int, ...], input_name: str, path: Path) -> None:
    """Write one encoder.

    Args:
        input_shape: with the batch axis, which is 1.
    """
    graph = _EncoderGraph(student).eval()
    _export(graph, (torch.zeros(input_shape),), [input_name], ["embedding", "evidence"], path)


def export_fusion(model: AdaptiveFusionModel, max_sensors: int, dim: int, path: Path) -> None:
    """Write the fusion step for `max_sensors` rows, of which the mask selects the live ones.

    The first axis of its input `centres` is dynamic, so labels can change without another export.
    """
    inputs = (
        torch.zeros(max_sensors, dim),
        torch.zeros(max_sensors),
        torch.zeros(max_sensors),
        torch.zeros(max_sensors, dtype=torch.int64),
        torch.ones(max_sensors),
        torch.zeros(2, dim),
    )
    names = ["embeddings", "evidence", "quality", "modality", "mask", "centres"]
    _export(model.eval(), inputs, names, ["fused", "weights"], path, {"centres": {0: "classes"}})


def _export(
    graph: nn.Module,
    inputs: tuple[Tensor, ...],
    names: list[str],
    outputs: list[str],
    path: Path,
    dynamic_axes: dict[str, dict[int, str]] | None = None,
) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with warnings.catch_warnings():
        # torch warns that the tracing exporter is legacy; the new one cannot write opset 17 directly.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            graph,
            inputs,
            str(path),
            input_names=names,
            output_names=outputs,
            dynamic_axes=dynamic_axes,
            opset_version=OPSET,
            dynamo=False,
        )
