"""The training loop: in memory it writes no files; a loss that is not finite is reported."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from torch import Tensor  # noqa: E402

from omnibind_ros.errors import TrainingError  # noqa: E402
from omnibind_ros.host.training.fit import (  # noqa: E402
    ON_CPU,
    Optimization,
    Training,
    fit,
    shuffled_batches,
)


class Line(Training):
    """Fits y = w x + b to points on a line."""

    def __init__(self, optimization: Optimization, y: float = 3.0) -> None:
        super().__init__("line", optimization)
        x = torch.linspace(-1, 1, 40)[:, None]
        self.model, self._points = torch.nn.Linear(1, 1), (x, y * x + 1)

    def train_dataloader(self) -> Any:
        return shuffled_batches(self._points, 16)

    def terms(self, batch: tuple[Tensor, ...]) -> Mapping[str, Tensor]:
        x, y = batch
        return {"squares": (self.model(x) - y).square().mean(), "nothing": x.sum() * 0}


def trained(optimization: Optimization, seed: int = 0) -> Line:
    torch.manual_seed(seed)
    line = Line(optimization)
    fit(line, 30, execution=ON_CPU)
    return line


def test_a_training_in_memory_learns_and_leaves_no_file(tmp_path: Path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    line = trained(Optimization(lr=0.1))
    assert line.model.weight.item() == pytest.approx(3, abs=0.2)
    assert line.model.bias.item() == pytest.approx(1, abs=0.1)
    assert not list(tmp_path.iterdir())
    assert capfd.readouterr() == ("", "")


def test_the_same_global_seed_gives_the_same_weights():
    first, again, other = (trained(Optimization(lr=0.1), seed) for seed in (1, 1, 2))
    assert torch.equal(first.model.weight, again.model.weight)
    assert not torch.equal(first.model.weight, other.model.weight)


def test_weight_decay_reaches_biases_only_on_request():
    matrices, everything = (
        trained(Optimization(lr=0.1, weight_decay=2.0, decay_vectors=vectors)) for vectors in (False, True)
    )
    assert matrices.model.weight.item() < 2.9
    assert matrices.model.bias.item() == pytest.approx(1, abs=0.1)
    assert everything.model.bias.item() < 0.95


def test_a_loss_that_is_not_finite_names_training_and_term():
    line = Line(Optimization(lr=0.1), y=float("inf"))
    with pytest.raises(TrainingError, match=r"line: the loss is \S+ at step 0, in the term 'squares'"):
        fit(line, 2, execution=ON_CPU)


def test_every_row_is_in_one_batch_of_an_epoch():
    batches = shuffled_batches((torch.arange(10), torch.arange(10) * 2), 4)
    rows = list(batches)
    assert [len(first) for first, _ in rows] == [4, 4, 2] and len(batches) == 3
    assert torch.cat([first for first, _ in rows]).sort().values.tolist() == list(range(10))
    assert all(torch.equal(second, 2 * first) for first, second in rows)
