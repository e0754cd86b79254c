"""A bundle written by the host is what the robot loads, and gives the same answers."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from encoding import encode_raw

torch = pytest.importorskip("torch")

from omnibind_ros.bundle.label_bank import LabelBank  # noqa: E402
from omnibind_ros.bundle.loading import Bundle  # noqa: E402
from omnibind_ros.bundle.temperature_scaling import TemperatureScaling  # noqa: E402
from omnibind_ros.encoder.sensor_encoder import SensorEncoder  # noqa: E402
from omnibind_ros.fusion.adaptive_fusion import AdaptiveFusion  # noqa: E402
from omnibind_ros.host.data.recipe import load_recipe  # noqa: E402
from omnibind_ros.host.data.simulated import simulated_recordings  # noqa: E402
from omnibind_ros.host.evaluation.bundle_evaluation import evaluate  # noqa: E402
from omnibind_ros.host.export.bundle_writer import TrainedEncoder, write_bundle  # noqa: E402
from omnibind_ros.host.models.adaptive_fusion import AdaptiveFusionModel  # noqa: E402
from omnibind_ros.host.models.student import Student  # noqa: E402
from omnibind_ros.host.training.student_plans import usual_plan  # noqa: E402
from omnibind_ros.modalities.registry import make_preprocessor  # noqa: E402
from omnibind_ros.types import Space  # noqa: E402

RECIPE = load_recipe("digits").model_copy(update={"simulated": {"touch": 1, "point_cloud": 1}})
MODALITIES = ("touch", "point_cloud")
SPACE = Space("test/1", 384)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    torch.manual_seed(0)
    students = {
        m: Student(make_preprocessor(m).input_shape[1:], 384, usual_plan(m).student).eval()
        for m in MODALITIES
    }
    centres = np.linalg.qr(np.random.default_rng(0).standard_normal((384, 10)))[0].T.astype(np.float32)
    fusion = AdaptiveFusionModel(2).eval()
    encoders = {m: TrainedEncoder(s, make_preprocessor(m), {"accuracy": 0.1}) for m, s in students.items()}
    bundle = write_bundle(
        tmp_path_factory.mktemp("engines") / "mine",
        RECIPE,
        SPACE,
        encoders,
        fusion,
        centres,
        TemperatureScaling(scale_by_count=(5.0, 9.0), unknown_threshold=0.2),
        max_sensors=4,
        trained_on="train",
        metrics={},
    )
    return bundle, students, fusion, centres


@pytest.mark.parametrize("modality", MODALITIES)
def test_an_exported_encoder_gives_what_the_student_gives(written, modality):
    bundle, students, _, _ = written
    encoder = SensorEncoder.open(bundle, "mine", modality)
    raw = simulated_recordings(RECIPE, modality)[3].load()
    embedding = encode_raw(encoder, raw)
    with torch.no_grad():
        expected, evidence = students[modality](torch.from_numpy(make_preprocessor(modality).prepare(raw)))
    np.testing.assert_allclose(embedding.vector, expected[0].numpy(), atol=1e-5)
    assert embedding.evidence == pytest.approx(float(evidence), abs=1e-4)
    embedding.check(SPACE)


def test_exported_fusion_gives_what_the_model_gives(written):
    bundle, _, model, centres = written
    labels = LabelBank.from_npz(bundle.labels_path.read_bytes())
    np.testing.assert_allclose(labels.class_centres, centres, atol=1e-6)
    encoded = [
        encode_raw(SensorEncoder.open(bundle, m, m), simulated_recordings(RECIPE, m)[5].load())
        for m in MODALITIES
    ]
    live = [embedding for embedding in encoded if embedding is not None]
    assert len(live) == len(MODALITIES)
    entry, run = bundle.manifest.fusion, bundle.load_fusion().run
    for some in (centres, centres[:3], np.linalg.qr(np.eye(384) + 0.1)[0].astype(np.float32)):
        fused = AdaptiveFusion(run, entry.modalities, entry.max_sensors, some).fuse(live)
        with torch.no_grad():
            expected, weights = model(
                torch.from_numpy(np.stack([e.vector for e in live])),
                torch.tensor([e.evidence for e in live]),
                torch.tensor([e.quality for e in live]),
                torch.tensor([0, 1]),
                torch.ones(2),
                torch.from_numpy(some),
            )
        np.testing.assert_allclose(fused.vector, expected.numpy(), atol=1e-5)
        np.testing.assert_allclose(fused.weights, weights.numpy(), atol=1e-5)


def test_an_old_bundle_is_replaced_only_by_a_whole_one(written, tmp_path):
    _, students, fusion, centres = written
    folder = tmp_path / "kept"
    folder.mkdir()
    (folder / "old").write_text("still here")
    encoders = {m: TrainedEncoder(s, make_preprocessor(m), {}) for m, s in students.items()}
    with pytest.raises(Exception, match=r"trained_on"):
        write_bundle(
            folder,
            RECIPE,
            SPACE,
            encoders,
            fusion,
            centres,
            TemperatureScaling(scale_by_count=(5.0,), unknown_threshold=0.2),
            max_sensors=4,
            trained_on=None,  # type: ignore[arg-type]
            metrics={},
        )
    assert (folder / "old").exists()


def test_no_operator_that_a_tensorrt_parser_lacks(written):
    import onnx

    bundle, *_ = written
    plain = {
        "Add",
        "ArgMax",
        "Cast",
        "Clip",
        "Concat",
        "Constant",
        "Conv",
        "Div",
        "Exp",
        "Gather",
        "Gemm",
        "Identity",
        "Log",
        "MatMul",
        "Mul",
        "Neg",
        "OneHot",
        "ReduceMax",
        "ReduceMean",
        "ReduceSum",
        "Relu",
        "Reshape",
        "Shape",
        "Sigmoid",
        "Slice",
        "Softmax",
        "Sqrt",
        "Sub",
        "Tanh",
        "Transpose",
        "Unsqueeze",
    }
    for file in bundle.folder.glob("*.onnx"):
        graph = onnx.load(file).graph
        assert {node.op_type for node in graph.node} <= plain
        for value in (*graph.input, *graph.output):
            static = [d.dim_value > 0 for d in value.type.tensor_type.shape.dim]
            assert all(static) or (value.name, static) == ("centres", [False, True]), "shapes must be static"


def test_evaluation_counts_every_recording_and_every_subset(written):
    bundle, *_ = written
    recordings = [r for m in MODALITIES for r in simulated_recordings(RECIPE, m)]
    scores = evaluate(bundle, recordings).to_json()
    assert {m: s["n"] for m, s in scores["modalities"].items()} == {"touch": 10, "point_cloud": 10}
    assert [s["modalities"] for s in scores["subsets"]] == [
        ["touch"],
        ["point_cloud"],
        ["touch", "point_cloud"],
    ]
    assert all(0 <= s["accuracy"] <= 1 and s["n"] == 400 for s in scores["subsets"])
    # One recording a class: a subset of one sensor must score exactly as that sensor alone.
    for modality, subset in zip(MODALITIES, scores["subsets"], strict=False):
        assert subset["accuracy"] == pytest.approx(scores["modalities"][modality]["accuracy"])
    assert evaluate(bundle, recordings).to_json() == scores


def test_it_can_be_loaded_by_path(written):
    bundle, *_ = written
    assert Bundle.load(bundle.folder).manifest.provenance.data


def test_a_custom_modality_is_exported_with_its_constants(tmp_path):
    series = {"channels": 6, "rate": 50, "window_s": 1.0, "std": [9.8, 9.8, 9.8, 2, 2, 2]}
    adaptor = make_preprocessor("wrist_imu", {"adaptor": "series", **series})
    student = Student(adaptor.input_shape[1:], 384, usual_plan("series").student).eval()
    centres = np.linalg.qr(np.random.default_rng(0).standard_normal((384, 10)))[0].T.astype(np.float32)
    bundle = write_bundle(
        tmp_path / "mine",
        RECIPE,
        SPACE,
        {"wrist_imu": TrainedEncoder(student, adaptor, {})},
        AdaptiveFusionModel(1).eval(),
        centres,
        TemperatureScaling(scale_by_count=(5.0,), unknown_threshold=0.2),
        max_sensors=4,
        trained_on="train",
        metrics={},
    )
    encoder = SensorEncoder.open(bundle, "left_wrist", "wrist_imu")
    assert encoder.adaptor.format == adaptor.format
    rows = np.random.default_rng(1).normal(0, 3, (50, 6)).astype(np.float32)
    stamps = 1_700_000_000_000_000_000 + np.arange(50) * 20_000_000
    (live,) = [
        embedding
        for row, stamp in zip(rows, stamps.tolist(), strict=True)
        for embedding in encoder.feed(_joint_state(row, stamp), stamp)
    ]
    np.testing.assert_allclose(live.vector, encode_raw(encoder, rows).vector, atol=1e-4)
    assert (live.modality, live.stamp) == ("wrist_imu", stamps[-1])


def _joint_state(row, stamp):
    time = SimpleNamespace(sec=stamp // 10**9, nanosec=stamp % 10**9)
    return SimpleNamespace(header=SimpleNamespace(stamp=time, frame_id="wrist"), position=row.tolist())
