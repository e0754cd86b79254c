"""The benchmark counts the work of models, and gives a reason for each candidate that cannot run."""

from __future__ import annotations

import numpy as np
import pytest
from bundles import write_stub_bundle
from rich.console import Console
from small_models import DIM, write_picture_encoder
from strays import write_strays

from omnibind_ros.bundle.loading import Bundle
from omnibind_ros.host.bench.encoders import candidates, measure_encoder
from omnibind_ros.host.bench.machine import Machine, measure_machine
from omnibind_ros.host.bench.model_cost import ModelCost, model_cost
from omnibind_ros.host.bench.results import NotMeasured, Result, machine_lines, plot, table, to_json
from omnibind_ros.host.export.onnx_graph import read_graph
from omnibind_ros.host.export.quantization import find_ranges, quantize

MACHINE = Machine("a CPU", ("avx2",), 1, gflops=100.0, gops_8bit=400.0, gbytes=20.0, gbytes_cached=80.0)
OPERATIONS = 2 * (6 * 64 * 2 * 9 + 6 * 64 * 6 * 9 + DIM * 6)
WEIGHTS = 6 * 2 * 9 + 6 * 6 * 9 + DIM * 6


def test_operations_and_bytes_are_counted(tmp_path):
    cost = model_cost(write_picture_encoder(tmp_path / "picture.onnx"))
    assert cost.operations == OPERATIONS
    assert cost.weight_bytes == 4 * WEIGHTS
    assert cost.activation_bytes == 4 * ((128 + 384) + (384 + 384) + (6 + DIM))
    assert not cost.eight_bit


def test_8_bit_models_do_as_much_on_a_quarter_of_the_bytes(tmp_path):
    path = write_picture_encoder(tmp_path / "picture.onnx")
    model = read_graph(path)
    inputs = [np.ones((1, 2, 8, 8), np.float32)]
    (tmp_path / "u8s8.onnx").write_bytes(
        quantize(model, find_ranges(model, inputs, "minmax"), "u8s8").SerializeToString()
    )
    plain, small = model_cost(path), model_cost(tmp_path / "u8s8.onnx")
    assert (small.operations, small.weight_bytes * 4) == (plain.operations, plain.weight_bytes)
    assert small.eight_bit


def test_the_floor_is_whatever_takes_longer():
    assert ModelCost(100_000_000, 1000, 0, False).floor_ms(MACHINE) == pytest.approx(1.0)
    assert ModelCost(100_000_000, 1000, 0, True).floor_ms(MACHINE) == pytest.approx(0.25)
    assert ModelCost(1000, 4_000_000, 0, False).floor_ms(MACHINE) == pytest.approx(0.05)
    assert ModelCost(1000, 40_000_000, 0, False).floor_ms(MACHINE) == pytest.approx(2.0)


def test_a_machine_is_measured_and_described(tmp_path, monkeypatch):
    monkeypatch.chdir(write_strays(tmp_path))
    machine = measure_machine()
    assert machine.gflops > 0.1
    assert machine.gbytes > 0.1
    better = machine.or_better(MACHINE)
    assert better.gflops == max(machine.gflops, MACHINE.gflops)
    assert better.cpu == machine.cpu
    assert "VNNI" in machine_lines(MACHINE)[0]
    vnni = Machine("a CPU", ("avx512_vnni",), 2, 1.0, None, 1.0, 1.0)
    assert "no instructions" not in machine_lines(vnni)[0]
    assert "8 bit" not in machine_lines(vnni)[1]


def test_candidates_that_cannot_run_have_a_reason(tmp_path):
    bundle = Bundle.load(write_stub_bundle(tmp_path / "stub"))
    absent = {
        one.name: one.reason for one in candidates(bundle, "text", None, 1) if isinstance(one, NotMeasured)
    }
    assert "--run" in absent["torch"]
    assert "omnibind quantize" in absent["onnxruntime u8s8"]
    (torch,) = (
        one
        for one in candidates(bundle, "text", tmp_path, 1)
        if isinstance(one, NotMeasured) and one.name == "torch"
    )
    assert "student.pt" in torch.reason or "not installed" in torch.reason


def test_a_candidate_that_fails_is_reported_and_the_others_go_on(tmp_path):
    folder = write_stub_bundle(tmp_path / "stub")
    bundle = Bundle.load(folder)
    (folder / "fusion.onnx").unlink()  # the candidate loads the bundle itself
    (failed,) = (one for one in measure_encoder(bundle, "text", repeat=25) if "fp32" in one.name)
    assert isinstance(failed, NotMeasured)
    assert "fusion.onnx" in failed.reason


RESULTS: list[Result | NotMeasured] = [
    Result("audio", "torch eager", 3.0, 4.0, 330.0, 250.0, 2.0),
    Result("audio", "onnxruntime fp32", 1.0, 2.0, 900.0, 80.0, 0.4),
    Result("audio", "onnxruntime u8s8", 0.5, 0.6, 1900.0, 80.0, 0.4),
    NotMeasured("audio", "torch.compile", "no compiler"),
]
FLOORS = {"audio": {"onnxruntime fp32": 0.8}}


def test_ratios_are_of_medians():
    found = {one["name"]: one for one in to_json(MACHINE, RESULTS, FLOORS)["results"]}
    assert found["onnxruntime u8s8"]["times_as_fast_as_torch_eager"] == 6.0
    assert found["onnxruntime u8s8"]["times_as_fast_as_onnxruntime_fp32"] == 2.0
    assert found["onnxruntime fp32"]["floor_ms"] == 0.8
    console = Console(width=80, record=True, file=None)
    with console.capture() as shown:
        console.print(table(RESULTS, FLOORS))
    text = shown.get()
    assert "1.25" in text  # times its floor
    assert "…" not in text


def test_the_plot_is_written(tmp_path):
    pytest.importorskip("matplotlib")
    plot(tmp_path / "bench.svg", MACHINE, RESULTS, FLOORS)
    assert (tmp_path / "bench.svg").read_text().count("<path") > 10
