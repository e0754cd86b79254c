"""The label bank: similarities, its file form, and what it refuses."""

from __future__ import annotations

import io

import numpy as np
import pytest
from fusion_samples import unit
from hypothesis import given
from hypothesis import strategies as st

from omnibind_ros.bundle.label_bank import LabelBank
from omnibind_ros.errors import BundleError


@pytest.fixture
def centres() -> np.ndarray:
    return np.random.default_rng(0).standard_normal((5, 3, 16)).astype(np.float32) * 4


NAMES = ("zero", "one", "two", "three", "four")


def test_similarity_is_the_cosine_to_the_nearest_centre(centres: np.ndarray) -> None:
    bank = LabelBank(NAMES, centres)
    vector = unit(1)
    expected = [
        max(float(c @ vector) / np.linalg.norm(c) for c in centres_of_class) for centres_of_class in centres
    ]
    assert np.allclose(bank.similarity(vector), expected, atol=1e-6)
    assert bank.similarity(bank.centres[3, 1])[3] == pytest.approx(1.0, abs=1e-6)


def test_class_centres_are_normalised_means_of_normalised_centres(centres: np.ndarray) -> None:
    bank = LabelBank(NAMES, centres)
    rows = centres[2] / np.linalg.norm(centres[2], axis=1, keepdims=True)
    mean = rows.mean(axis=0)
    assert np.allclose(bank.class_centres[2], mean / np.linalg.norm(mean), atol=1e-6)
    assert bank.class_centres.shape == (5, 16)
    assert bank.class_centres.dtype == np.float32


def test_an_answer_survives_the_next_question(centres: np.ndarray) -> None:
    bank = LabelBank(NAMES, centres)
    first = bank.similarity(unit(1))
    copy = first.copy()
    bank.similarity(unit(2))
    assert np.array_equal(first, copy)


def test_npz_round_trip_is_exact_and_reproducible(centres: np.ndarray) -> None:
    bank = LabelBank(("null", "eins", "zwei", "drei", "fünf"), centres)
    again = LabelBank.from_npz(bank.to_npz())
    assert again.names == bank.names
    assert np.allclose(again.centres, bank.centres, atol=1e-7)
    assert bank.to_npz() == bank.to_npz()


@pytest.mark.parametrize(
    ("names", "change", "says"),
    [
        ((), None, "at least one class"),
        (("a", "b"), None, "shape"),
        (("a", "b", "c", "d", "a"), None, "'a' is given twice"),
        (("a", "b", "c", "d", "unknown"), None, "'unknown' cannot"),
        (("a", "b", "c", "d", ""), None, "cannot"),
        (NAMES, np.nan, "centre 1 of class 'three'"),
        (NAMES, 0.0, "centre 1 of class 'three'"),
    ],
)
def test_a_bank_that_cannot_be_is_refused(
    centres: np.ndarray, names: tuple[str, ...], change: float | None, says: str
) -> None:
    if change is not None:
        centres[3, 1] = change
    with pytest.raises(BundleError, match=says):
        LabelBank(names, centres)


def test_whole_numbers_are_no_centres() -> None:
    with pytest.raises(BundleError, match="float32"):
        LabelBank(("a",), np.ones((1, 1, 4), np.int64))


@given(st.data())
def test_a_damaged_file_is_a_bundle_error_that_names_it(data: st.DataObject) -> None:
    whole = LabelBank(("a", "b"), np.eye(2, 4, dtype=np.float32)[:, None]).to_npz()
    cut = data.draw(st.integers(0, len(whole) - 1))
    with pytest.raises(BundleError, match="labels file"):
        LabelBank.from_npz(whole[:cut], where="labels file")


def test_a_flipped_bit_anywhere_is_refused_or_harmless() -> None:
    whole = LabelBank(("a", "b"), np.eye(2, 4, dtype=np.float32)[:, None]).to_npz()
    refused = 0
    for position in range(len(whole)):
        data = bytearray(whole)
        data[position] ^= 1 << position % 8
        try:
            bank = LabelBank.from_npz(bytes(data))
        except BundleError:
            refused += 1
        else:
            assert len(bank.names) == len(bank.centres)
    assert refused > len(whole) // 2


def test_pickles_and_missing_arrays_are_refused() -> None:
    for arrays in (
        {"names": np.array(["a"], object), "centres": np.ones((1, 1, 2), np.float32)},
        {"names": np.array(["a"])},
    ):
        file = io.BytesIO()
        np.savez(file, **arrays)  # type: ignore[arg-type]
        with pytest.raises(BundleError):
            LabelBank.from_npz(file.getvalue())


def test_a_file_is_loaded_and_named_in_errors(tmp_path, centres: np.ndarray) -> None:
    path = tmp_path / "labels.npz"
    with pytest.raises(BundleError, match=r"labels\.npz: cannot be read: No such file"):
        LabelBank.load(path)
    path.write_bytes(LabelBank(NAMES, centres).to_npz())
    assert LabelBank.load(path).names == NAMES
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(BundleError, match=r"labels\.npz is not an \.npz file"):
        LabelBank.load(path)


def test_a_hundred_thousand_labels_load_in_seconds() -> None:
    """Comparing each name with each other would take minutes."""
    count = 100_000
    names = tuple(f"label {k}" for k in range(count))
    bank = LabelBank.from_npz(LabelBank(names, np.ones((count, 1, 2), np.float32)).to_npz())
    assert bank.names == names
    with pytest.raises(BundleError, match="'label 7' is given twice"):
        LabelBank((*names[:-1], "label 7"), np.ones((count, 1, 2), np.float32))
