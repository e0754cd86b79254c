"""Accuracy of one encoder on prepared inputs, for the choice and the measurement of precisions."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from onnx import ModelProto

from omnibind_ros.bundle.label_bank import LabelBank
from omnibind_ros.host.data.recording import Recording
from omnibind_ros.modalities.preprocessor import Preprocessor

_ERRORS_ONLY = 3


@dataclass(frozen=True, eq=False)
class PreparedInputs:
    """Model inputs of recordings of one modality; those of quality 0 are counted and left out.

    Attributes:
        inputs: model inputs, each with a batch axis of 1.
        labels: the label of each; None for none of the labels.
        refused: labelled recordings that fail the signal checks; they count as wrong answers.
        split: of the recordings, e.g. `dev`, or `simulated`.
    """

    inputs: list[NDArray[Any]]
    labels: list[str | None]
    refused: int
    split: str

    @property
    def sha256(self) -> str:
        """Checksum of all inputs, to compare the inputs of two records."""
        digest = hashlib.sha256()
        for one in self.inputs:
            digest.update(one.tobytes())
        return digest.hexdigest()

    @property
    def n(self) -> int:
        """Number of labelled recordings."""
        return sum(label is not None for label in self.labels) + self.refused


def prepare_inputs(
    recordings: Sequence[Recording], preprocessor: Preprocessor, split: str, at_most: int | None = None
) -> PreparedInputs:
    """Read, check and preprocess recordings, or `at_most` of them at even distances."""
    if at_most is not None and len(recordings) > at_most:
        recordings = [recordings[i] for i in np.linspace(0, len(recordings) - 1, at_most).astype(int)]
    inputs, labels, refused = [], [], 0
    for recording in recordings:
        raw = recording.load()
        if preprocessor.check(raw).quality > 0:
            inputs.append(preprocessor.prepare(raw))
            labels.append(recording.label)
        elif recording.label is not None:
            refused += 1
    return PreparedInputs(inputs, labels, refused, split)


def embed(model: ModelProto, inputs: Sequence[NDArray[Any]]) -> NDArray[np.float32]:
    """Embeddings of a model on the CPU, float32 [N, D] of unit norm.

    CPUs have no float16: such layers are computed in float32 with float16 weights.
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = _ERRORS_ONLY
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session: Any = ort.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    name = session.get_inputs()[0].name
    return np.concatenate([session.run(["embedding"], {name: one})[0] for one in inputs])


def correct(embeddings: NDArray[np.float32], of: PreparedInputs, labels: LabelBank) -> NDArray[np.bool_]:
    """bool [of.n]: whether the class centre nearest to each labelled recording is that of its label."""
    answers = [
        label == labels.names[int(labels.similarity(vector).argmax())]
        for vector, label in zip(embeddings, of.labels, strict=True)
        if label is not None
    ]
    return np.array(answers + [False] * of.refused, bool)


def error(embeddings: NDArray[np.float32], reference: NDArray[np.float32]) -> float:
    """Mean of 1 - cosine between corresponding unit embeddings, a finer measure than accuracy."""
    cosines = np.einsum("ij,ij->i", embeddings.astype(np.float64), reference.astype(np.float64))
    return float(np.mean(1.0 - cosines))
