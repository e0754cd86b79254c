"""fp16: float32 at inputs, outputs and where range matters, float16 elsewhere, explicit casts."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, numpy_helper
from small_models import write_picture_encoder

from omnibind_ros.host.export.encoder_accuracy import embed, error
from omnibind_ros.host.export.half_precision import to_half_precision
from omnibind_ros.host.export.onnx_graph import read_graph


@pytest.fixture
def model(tmp_path):
    return read_graph(write_picture_encoder(tmp_path / "picture.onnx"))


def types_of(model):
    typed = onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True, data_prop=True)
    graph = typed.graph
    infos = [*graph.input, *graph.value_info, *graph.output]
    types = {info.name: info.type.tensor_type.elem_type for info in infos}
    return types | {tensor.name: tensor.data_type for tensor in graph.initializer}


def test_inputs_and_outputs_stay_float32(model):
    half = to_half_precision(model)
    onnx.checker.check_model(half, full_check=True)
    for tensor in (*half.graph.input, *half.graph.output):
        assert tensor.type.tensor_type.elem_type == TensorProto.FLOAT, tensor.name
    assert [t.name for t in half.graph.input] == ["picture"]
    assert {t.name for t in half.graph.output} == {"embedding", "evidence"}


def test_every_operator_has_inputs_of_one_type(model):
    half = to_half_precision(model)
    types = types_of(half)
    seen = set()
    for node in half.graph.node:
        floats = {types[i] for i in node.input} & {TensorProto.FLOAT, TensorProto.FLOAT16}
        assert len(floats) == 1, node.op_type
        if node.op_type != "Cast":
            (kind,) = floats
            wanted = node.op_type in ("Conv", "Relu", "Add", "Gemm")
            assert (kind == TensorProto.FLOAT16) == wanted, node.op_type
            seen.add(kind)
    assert seen == {TensorProto.FLOAT, TensorProto.FLOAT16}


def test_the_embedding_is_the_same_to_three_digits(model):
    inputs = list(np.random.default_rng(1).normal(size=(20, 1, 2, 8, 8)).astype(np.float32))
    assert error(embed(to_half_precision(model), inputs), embed(model, inputs)) < 1e-5


def test_the_weights_take_half_the_room_and_the_original_is_left_alone(model):
    before = model.SerializeToString()
    half = to_half_precision(model)
    assert model.SerializeToString() == before

    def weight_bytes(one):
        return sum(numpy_helper.to_array(t).nbytes for t in one.graph.initializer if "weight" in t.name)

    assert weight_bytes(half) * 2 == weight_bytes(model)


def test_a_weight_beyond_float16_is_refused(model):
    for tensor in model.graph.initializer:
        if tensor.name == "second.weight":
            tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor) * 1e6, tensor.name))
    with pytest.raises(ValueError, match=r"second\.weight"):
        to_half_precision(model)
