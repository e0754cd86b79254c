"""The model card of the shipped bundle agrees with its manifest: sources, licences, figures, shapes."""

from __future__ import annotations

import re

import pytest

from omnibind_ros.bundle.loading import Bundle
from omnibind_ros.bundle.manifest import Manifest
from omnibind_ros.config.resources import find_bundle

CARD = (find_bundle("digits") / "README.md").read_text()


@pytest.fixture(scope="module")
def manifest() -> Manifest:
    return Bundle.load("digits").manifest


def table(first_column: str) -> list[list[str]]:
    """Cells of all rows of the table whose title row begins with `first_column`."""
    (body,) = re.findall(rf"^\| {first_column}\b.*\n\|[-:| ]+\|\n((?:\|.*\n)+)", CARD, re.MULTILINE)
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in body.splitlines()]


def test_it_lists_all_data_with_the_licence_as_stated(manifest):
    stated = [(row[0], row[1]) for row in table("source . licence")]
    assert stated == [(source.name, source.licence) for source in manifest.provenance.data]


def test_its_accuracies_by_source_are_those_of_the_manifest(manifest):
    measured = manifest.provenance.metrics["test_sources"]
    assert table("source . accuracy") == [
        [f"{modality}: {name}", f"{100 * figures['accuracy']:.2f}", str(figures["n"])]
        for modality, sources in measured.items()
        for name, figures in sources.items()
    ]


def test_its_test_recordings_are_at_least_those_that_were_measured(manifest):
    held_back = {row[0]: row[4] for row in table("source . licence")}
    for modality, sources in manifest.provenance.metrics["test_sources"].items():
        for name, figures in sources.items():
            # Negatives are held back, too, but have no class to recognise.
            assert int(held_back[f"{modality}: {name}"]) >= figures["n"]


def test_its_accuracies_of_subsets_are_those_of_the_manifest(manifest):
    measured = manifest.provenance.metrics["test_accuracy_by_number_of_modalities"]
    assert table("modalities") == [[n, f"{100 * accuracy:.2f}"] for n, accuracy in measured.items()]


def test_its_encoders_and_precisions_are_those_of_the_manifest(manifest):
    precisions = ("fp32", "fp16", "u8s8")
    assert table("encoder") == [
        [
            modality,
            " x ".join(str(size) for size in entry.input.shape[1:]),
            *(f"{100 * entry.precisions[precision].measured.accuracy:.2f}" for precision in precisions),
        ]
        for modality, entry in manifest.encoders.items()
    ]
    assert all(entry.precisions.keys() == set(precisions) for entry in manifest.encoders.values())
