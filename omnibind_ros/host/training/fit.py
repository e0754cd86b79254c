"""The training loop. Everything that is trained here is a `Training`, and `fit` runs it.

A `Training` defines its batches, its loss as named terms, and its `Optimization`; Lightning runs the loop.

    fit(training, epochs)                       in memory; random numbers come from torch's global stream
    fit(training, epochs, folder=run)           resumable, with logs, on any number of devices

A resumable training leaves its last good checkpoint in the folder however it ends: killed, interrupted, disk
full, loss not finite. The same call continues it and ends with the same weights as an uninterrupted one,
because each epoch draws from a random stream of its own.
"""

from __future__ import annotations

import logging
import signal
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import lightning as L
import numpy as np
import torch
from lightning.pytorch.callbacks import Callback, ModelCheckpoint, RichProgressBar
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger
from torch import Tensor
from torch.utils.data import DataLoader, Sampler, TensorDataset

from omnibind_ros.errors import TrainingError

CHECKPOINT = "last.ckpt"


@dataclass(frozen=True)
class Execution:
    """Where a training runs and what it shows. With one device, the results do not depend on it.

    Attributes:
        devices: GPUs, or processes where there is no GPU; several share each batch (DDP).
        progress: show progress bars.
        accelerator: `auto` uses a GPU if there is one.
    """

    devices: int = 1
    progress: bool = True
    accelerator: Literal["auto", "cpu"] = "auto"


ONE_DEVICE = Execution()
ON_CPU = Execution(progress=False, accelerator="cpu")
"""For trainings that take seconds."""


@dataclass(frozen=True)
class Optimization:
    """AdamW (arXiv 1711.05101) with a one-cycle learning rate (arXiv 1708.07120).

    Attributes:
        lr: the largest learning rate.
        decay_vectors: weight decay applies to biases and gains as well, not only to matrices and kernels.
        warm_up: share of the steps in which the learning rate rises.
        max_norm: gradients are clipped to this norm; None leaves them as they are.
    """

    lr: float
    weight_decay: float = 0.0
    decay_vectors: bool = False
    warm_up: float = 0.3
    max_norm: float | None = 1.0


class Training(L.LightningModule):
    """What is trained: batches (`train_dataloader`) and loss (`terms`).

    Args:
        subject: what is trained, for error messages: `touch`, `fusion`.
        seed: of the random streams of a resumable training.
    """

    def __init__(self, subject: str, optimization: Optimization, seed: int = 0) -> None:
        super().__init__()
        self.subject, self.optimization, self.seed = subject, optimization, seed

    def train_dataloader(self) -> DataLoader[Any]:
        """The batches of one epoch."""
        raise NotImplementedError

    def terms(self, batch: Any) -> Mapping[str, Tensor]:
        """The terms of the loss by name; the loss is their sum."""
        raise NotImplementedError

    def training_step(self, batch: Any, _: int) -> Tensor:
        terms = self.terms(batch)
        loss = torch.stack(list(terms.values())).sum()
        if not torch.isfinite(loss):
            bad = next((name for name, term in terms.items() if not torch.isfinite(term)), "sum")
            raise TrainingError(
                f"{self.subject}: the loss is {loss.item()} at step {self.global_step}, in the term {bad!r}; "
                f"the last good checkpoint is kept. A smaller lr or weight of that term may help"
            )
        self.log("loss", loss, prog_bar=True)
        self.log_dict({f"loss_{name}": term for name, term in terms.items()})
        return loss

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        for name, parameter in self.named_parameters():
            if not torch.isfinite(parameter).all():
                raise TrainingError(
                    f"{self.subject}: {name} is not finite after step {self.global_step}; the last good "
                    "checkpoint is kept. A smaller lr may help"
                )

    def configure_optimizers(self) -> Any:
        how = self.optimization
        decayed = [p for p in self.parameters() if p.ndim > 1 or how.decay_vectors]
        others = [p for p in self.parameters() if p.ndim <= 1 and not how.decay_vectors]
        groups = [
            {"params": decayed, "weight_decay": how.weight_decay},
            {"params": others, "weight_decay": 0.0},
        ]
        optimizer = torch.optim.AdamW([group for group in groups if group["params"]], lr=how.lr)
        steps = int(self.trainer.estimated_stepping_batches)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, how.lr, total_steps=steps, pct_start=how.warm_up
        )
        return [optimizer], [{"scheduler": schedule, "interval": "step"}]


def fit(
    training: Training, epochs: int, *, folder: Path | None = None, execution: Execution = ONE_DEVICE
) -> None:
    """Run a training.

    Args:
        folder: keeps logs and the checkpoint `last.ckpt`, from which an interrupted training continues.
            None trains in memory.

    Raises:
        TrainingError: the loss is not finite.
        KeyboardInterrupt: Ctrl-C was pressed; with a folder, the same call continues.
    """
    checkpoint = folder / CHECKPOINT if folder is not None else None
    resume_from = checkpoint if checkpoint is not None and checkpoint.exists() else None
    interrupt_handler = signal.getsignal(signal.SIGINT)
    with _quiet_lightning():
        trainer = _trainer(training.optimization, epochs, folder, execution)
        try:
            trainer.fit(training, ckpt_path=resume_from, weights_only=False)
        except SystemExit:
            if not trainer.interrupted:
                raise
            # On Ctrl-C Lightning shuts down and then exits as if the training had failed.
            signal.signal(signal.SIGINT, interrupt_handler)
            raise KeyboardInterrupt from None
    if trainer.interrupted:
        raise KeyboardInterrupt


def stream_seed(*key: int) -> int:
    """A seed for the random stream of this key; different keys give independent streams."""
    return int(np.random.SeedSequence(key).generate_state(1)[0])


def shuffled_batches(tensors: tuple[Tensor, ...], size: int) -> DataLoader[tuple[Tensor, ...]]:
    """All rows of tensors [M, ...] in random order, `size` at a time; the last batch may be smaller."""
    dataset = TensorDataset(*tensors)
    sampler: Any = _ShuffledRows(len(dataset), size)
    return DataLoader(dataset, batch_size=None, sampler=sampler, generator=torch.Generator())


class _ShuffledRows(Sampler[Tensor]):
    def __init__(self, rows: int, size: int) -> None:
        self._rows, self._size = rows, size

    def __len__(self) -> int:
        return -(-self._rows // self._size)

    def __iter__(self) -> Iterator[Tensor]:
        yield from torch.split(torch.randperm(self._rows), self._size)


class _StreamPerEpoch(Callback):
    """Each epoch of each process draws from its own random stream, whether it was resumed or not."""

    def on_train_epoch_start(self, trainer: L.Trainer, training: L.LightningModule) -> None:
        assert isinstance(training, Training)
        torch.manual_seed(stream_seed(training.seed, trainer.current_epoch, trainer.global_rank))


def _trainer(how: Optimization, epochs: int, folder: Path | None, execution: Execution) -> L.Trainer:
    callbacks: list[Callback] = [RichProgressBar()] if execution.progress else []
    loggers: list[Any] = []
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        name = Path(CHECKPOINT).stem
        callbacks.append(ModelCheckpoint(folder, filename=name, enable_version_counter=False))
        callbacks.append(_StreamPerEpoch())
        loggers.append(CSVLogger(folder, name="", version="log"))
        if find_spec("tensorboard"):
            loggers.append(TensorBoardLogger(folder, name="", version="log"))
    return L.Trainer(
        max_epochs=epochs,
        accelerator=execution.accelerator,
        devices=execution.devices,
        # Spawned processes run the training alone; launched by command line, they would run the rest, too.
        strategy="ddp_spawn" if execution.devices > 1 else "auto",
        use_distributed_sampler=False,
        logger=loggers or False,
        enable_checkpointing=folder is not None,
        enable_progress_bar=execution.progress,
        enable_model_summary=False,
        gradient_clip_val=how.max_norm,
        callbacks=callbacks,
    )


@contextmanager
def _quiet_lightning() -> Iterator[None]:
    """Lightning logs hardware, tips and advice at each start; errors remain."""
    log = logging.getLogger("lightning.pytorch")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="lightning")
            yield
    finally:
        log.setLevel(level)
