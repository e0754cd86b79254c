"""Results of a benchmark, as a table, as plain data and as a plot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from omnibind_ros.host.bench.machine import Machine


@dataclass(frozen=True)
class Result:
    """The measurements of one candidate.

    Attributes:
        name: e.g. `onnxruntime fp32`.
        p50_ms, p99_ms: latency of one inference with a batch of one.
        per_s: inferences per second, one after the other.
        peak_mb: largest resident memory of its process, 10^6 bytes.
        cold_start_s: from the start of the process to the first embedding.
    """

    modality: str
    name: str
    p50_ms: float
    p99_ms: float
    per_s: float
    peak_mb: float
    cold_start_s: float


@dataclass(frozen=True)
class NotMeasured:
    """A candidate that cannot run here, and why."""

    modality: str
    name: str
    reason: str


_EAGER, _FLOAT = "torch eager", "onnxruntime fp32"

Floors = Mapping[str, Mapping[str, float]]
"""Least possible latency in ms by modality and candidate, where it is known."""


def machine_lines(machine: Machine) -> list[str]:
    """The machine's CPU and its measured peaks, for the top of the output."""
    bytes_ = f"{machine.gops_8bit:.0f} G 8 bit operations/s, " if machine.gops_8bit else ""
    features = ", ".join(machine.features) or "none of the known ones"
    return [
        f"{machine.cpu}, {machine.threads} thread{'s' if machine.threads > 1 else ''}; features: {features}"
        + ("" if machine.multiplies_bytes else "; no instructions for 8 bit products (VNNI, dot products)"),
        f"measured peaks: {machine.gflops:.0f} GFLOP/s float32, {bytes_}{machine.gbytes:.0f} GB/s of memory, "
        f"{machine.gbytes_cached:.0f} GB/s of cache",
    ]


def table(found: Sequence[Result | NotMeasured], floors: Floors) -> Table:
    """One line per candidate; ratios are of medians."""
    made = Table(box=SIMPLE_HEAD, pad_edge=False, padding=0)
    made.add_column("encoder", no_wrap=True)
    for heading in ("p50 ms", "p99 ms", "1/s", "MB", "cold s", "eager", "fp32", "floor"):
        made.add_column(heading, justify="right", no_wrap=True)
    shown = ""
    for one in found:
        if isinstance(one, NotMeasured):
            continue
        if one.modality != shown:
            made.add_row(f"[bold]{one.modality}")
        floor = floors.get(one.modality, {}).get(one.name)
        made.add_row(
            f"  {one.name}",
            f"{one.p50_ms:.3f}",
            f"{one.p99_ms:.3f}",
            f"{one.per_s:.0f}",
            f"{one.peak_mb:.0f}",
            f"{one.cold_start_s:.2f}",
            _times(_faster(found, one, _EAGER)),
            _times(_faster(found, one, _FLOAT)),
            _times(one.p50_ms / floor if floor else None),
        )
        shown = one.modality
    made.caption = (
        "eager, fp32: speed relative to torch eager and to ONNX Runtime in fp32. "
        "floor: latency relative to the least possible for computing and moving the data."
    )
    return made


def to_json(machine: Machine, found: Sequence[Result | NotMeasured], floors: Floors) -> dict[str, Any]:
    """The machine and all results as plain data."""
    return {
        "machine": asdict(machine) | {"multiplies_bytes": machine.multiplies_bytes},
        "results": [
            {
                **asdict(one),
                "floor_ms": floors.get(one.modality, {}).get(one.name),
                "times_as_fast_as_torch_eager": _faster(found, one, _EAGER),
                "times_as_fast_as_onnxruntime_fp32": _faster(found, one, _FLOAT),
            }
            for one in found
            if isinstance(one, Result)
        ],
        "absent": [asdict(one) for one in found if isinstance(one, NotMeasured)],
    }


def plot(path: Path, machine: Machine, found: Sequence[Result | NotMeasured], floors: Floors) -> None:
    """Plot the median latency of every candidate with its floor as a mark; the suffix gives the format."""
    from matplotlib.figure import Figure

    results = [one for one in found if isinstance(one, Result)]
    modalities = list(dict.fromkeys(one.modality for one in results))
    names = list(dict.fromkeys(one.name for one in results))
    figure = Figure(figsize=(1.5 + 1.5 * len(modalities), 4.2), layout="constrained")
    axes = figure.subplots()
    width = 0.8 / max(len(names), 1)
    for number, name in enumerate(names):
        mine = [one for one in results if one.name == name]
        at = [modalities.index(one.modality) + (number - (len(names) - 1) / 2) * width for one in mine]
        axes.bar(at, [one.p50_ms for one in mine], width, label=name)
        marks = [(x, floors.get(one.modality, {}).get(name)) for x, one in zip(at, mine, strict=True)]
        known = [(x, floor) for x, floor in marks if floor]
        axes.plot([x for x, _ in known], [floor for _, floor in known], "k_", markersize=9)
    axes.plot([], [], "k_", label="floor")
    axes.set_yscale("log")
    axes.set_ylabel("median latency, ms (log)")
    axes.set_xticks(range(len(modalities)), modalities)
    axes.set_title(machine_lines(machine)[0], fontsize=9)
    axes.legend(fontsize=8, ncols=2)
    figure.savefig(path, dpi=150)


def _faster(found: Sequence[Result | NotMeasured], one: Result, than: str) -> float | None:
    for other in found:
        if isinstance(other, Result) and (other.modality, other.name) == (one.modality, than):
            return other.p50_ms / one.p50_ms
    return None


def _times(ratio: float | None) -> str:
    return "" if ratio is None else f"{ratio:.2f}"
