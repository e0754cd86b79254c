"""8 bit forms for CPUs and TensorRT, and the search for the layers to quantize."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import numpy_helper
from small_models import CLASSES, centres, write_picture_encoder, write_two_layers

from omnibind_ros.bundle.label_bank import LabelBank
from omnibind_ros.host.export.encoder_accuracy import PreparedInputs, correct, embed, error
from omnibind_ros.host.export.onnx_graph import layers, read_graph
from omnibind_ros.host.export.quantization import FORMS, METHODS, find_ranges, quantize
from omnibind_ros.host.export.quantization_policy import search_policy
from omnibind_ros.host.export.quantization_record import exact

INPUTS = list(np.random.default_rng(0).normal(size=(40, 1, 2, 8, 8)).astype(np.float32))
LABELS = LabelBank(tuple("abcd"), centres()[:, None])


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return read_graph(write_picture_encoder(tmp_path_factory.mktemp("models") / "picture.onnx"))


@pytest.fixture(scope="module")
def ranges(model):
    return find_ranges(model, INPUTS, "minmax")


def constants(model):
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}


def test_ranges_hold_what_the_tensors_were(ranges):
    assert ranges["picture"] == (pytest.approx(np.min(INPUTS)), pytest.approx(np.max(INPUTS)))
    assert ranges["b"][0] == 0  # after a ReLU
    assert ranges["embedding"][1] <= 1


@pytest.mark.parametrize("method", METHODS)
def test_no_method_goes_beyond_the_values(model, ranges, method):
    for name, (low, high) in find_ranges(model, INPUTS, method).items():
        assert ranges[name][0] - 1e-6 <= low <= high <= ranges[name][1] + 1e-6, name


@pytest.mark.parametrize("form", FORMS)
def test_quantized_encoders_embed_nearly_the_same(model, ranges, form):
    made = quantize(model, ranges, form)
    onnx.checker.check_model(made, full_check=True)
    assert {"QuantizeLinear", "DequantizeLinear"} < {node.op_type for node in made.graph.node}
    assert {node.domain for node in made.graph.node} <= {"", "ai.onnx"}
    assert 0 < error(embed(made, INPUTS), embed(model, INPUTS)) < 5e-3


def test_int8_is_symmetric_with_pairs_on_inputs_and_weights_and_float_biases(model, ranges):
    made = quantize(model, ranges, "int8")
    known, producer = constants(made), {node.output[0]: node for node in made.graph.node}
    for node in made.graph.node:
        if node.op_type in ("QuantizeLinear", "DequantizeLinear"):
            assert known[node.input[2]].dtype == np.int8
            assert not known[node.input[2]].any()
            assert (known[node.input[1]] > 0).all()
        if node.op_type in ("Conv", "Gemm"):
            for dequantized in node.input[:2]:
                assert producer[dequantized].op_type == "DequantizeLinear"
                assert producer[producer[dequantized].input[0]].op_type == "QuantizeLinear"
            assert known[node.input[2]].dtype == np.float32
            (after,) = (
                n.op_type for n in made.graph.node if node.output[0] in n.input and n.op_type != "ReduceL2"
            )
            assert after in ("Relu", "Add", "Div"), "ReLU and addition must be free to fuse"


def test_weights_have_a_scale_for_each_output_channel(model, ranges):
    for form in FORMS:
        made = quantize(model, ranges, form)
        scales = [
            known.shape for name, known in constants(made).items() if name.startswith("second.weight_scale")
        ]
        assert (6,) in scales, form


def test_u8s8_weights_cannot_overflow_16_bit_sums(model, ranges):
    known = constants(quantize(model, ranges, "u8s8"))
    weights = [value for value in known.values() if value.dtype == np.int8 and value.size > 1 and value.any()]
    assert len(weights) == len(layers(model))
    for weight in weights:
        assert 2 * 255 * np.abs(weight.astype(int)).max() < 1 << 15


@pytest.mark.parametrize("form", FORMS)
def test_what_is_to_be_kept_stays_float(model, ranges, form):
    made = quantize(model, ranges, form, keep=["second"])
    (second,) = (node for node in made.graph.node if node.name == "second")
    assert second.input[1] == "second.weight"
    assert constants(made)["second.weight"].dtype == np.float32
    (first,) = (node for node in made.graph.node if node.name == "first")
    assert first.input[1] != "first.weight"


@given(st.tuples(st.floats(width=32, allow_nan=False), st.floats(width=32, allow_nan=False)))
def test_written_ranges_are_read_back_exactly(pair):
    low, high = exact({"x": pair})["x"]
    assert (np.float32(low), np.float32(high)) == (np.float32(pair[0]), np.float32(pair[1]))


@pytest.fixture
def sensitive(tmp_path):
    """A first layer whose input is swamped by a number that means nothing, and inputs with their labels.

    In 8 bits over +-1000 what matters, values below 3, is one step or none.
    """
    first = np.zeros((1 + CLASSES, CLASSES), np.float32)
    first[1:] = np.eye(CLASSES)
    rng = np.random.default_rng(3)
    names = rng.integers(0, CLASSES, 60)
    inputs = rng.uniform(0, 1, (60, 1, 1 + CLASSES)).astype(np.float32)
    inputs[np.arange(60), 0, 1 + names] += 2
    inputs[:, 0, 0] = rng.uniform(-1000, 1000, 60)
    model = read_graph(write_two_layers(tmp_path / "two.onnx", first, centres(), "numbers"))
    return model, PreparedInputs(list(inputs), [LABELS.names[k] for k in names], 0, "dev")


@pytest.mark.parametrize("form", FORMS)
def test_the_search_keeps_the_layer_that_costs_answers_and_no_other(sensitive, form):
    model, judged_on = sensitive
    ranges = {"minmax": find_ranges(model, judged_on.inputs, "minmax")}
    assert correct(embed(model, judged_on.inputs), judged_on, LABELS).all()
    everything = embed(quantize(model, ranges["minmax"], form), judged_on.inputs)
    assert correct(everything, judged_on, LABELS).mean() < 0.9
    policy = search_policy(model, ranges, form, judged_on, LABELS, allowed_loss=0.5)
    assert policy.keep == ("first",)
    assert policy.loss == 0
    assert policy.errors_by_layer["first"] > policy.errors_by_layer["second"]


def test_nothing_is_kept_where_nothing_is_lost(model):
    answers = embed(model, INPUTS)
    names: list[str | None] = [LABELS.names[int(LABELS.similarity(vector).argmax())] for vector in answers]
    ranges = {method: find_ranges(model, INPUTS, method) for method in ("minmax", "percentile")}
    policy = search_policy(model, ranges, "u8s8", PreparedInputs(INPUTS, names, 0, "dev"), LABELS, 5.0)
    assert policy.keep == ()
    assert policy.errors_by_method[policy.method] == min(policy.errors_by_method.values())


def test_refused_recordings_are_wrong_answers():
    of = PreparedInputs([], [], 3, "test")
    assert correct(np.zeros((0, 16), np.float32), of, LABELS).tolist() == [False] * 3
