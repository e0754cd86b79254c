"""Lightning runs a training: progress, logs, checkpoints, and how it ends.

However it ends, by a kill, Ctrl-C, a full disk or a loss that is no number, the folder holds the last good
checkpoint, and the same call goes on from there with the very numbers it would have had: every epoch draws
from a random stream of its own.
"""

from __future__ import annotations

import errno
import io
import os
import signal
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import torch
from lightning.pytorch.callbacks import Callback, ModelCheckpoint, RichProgressBar
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger
from torch import Tensor, nn

from omnibind_ros.errors import TrainingError

CHECKPOINT = "last.ckpt"


@dataclass(frozen=True)
class Machine:
    """What a training may use, and what it shows; numbers do not depend on it with one device.

    Attributes:
        devices: GPUs, or processes where there is no GPU; more than one share each batch (DDP).
        progress: show progress bars.
    """

    devices: int = 1
    progress: bool = True


ONE_DEVICE = Machine()


class Training(L.LightningModule):
    """The loop's body: what a batch costs, in named terms.

    Args:
        subject: what is trained, for messages: `touch`, `fusion`.
        seed: same seed, same numbers.
        lr, weight_decay: of AdamW (arXiv 1711.05101) under a one-cycle schedule (arXiv 1708.07120).
    """

    def __init__(self, subject: str, seed: int, lr: float, weight_decay: float) -> None:
        super().__init__()
        self.subject, self.seed, self.lr, self.weight_decay = subject, seed, lr, weight_decay

    def terms(self, batch: Any) -> Mapping[str, Tensor]:
        """The terms whose sum is the loss."""
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

    def on_train_epoch_start(self) -> None:
        torch.manual_seed(stream(self.seed, self.current_epoch, self.global_rank))

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        for name, parameter in self.named_parameters():
            if not torch.isfinite(parameter).all():
                raise TrainingError(
                    f"{self.subject}: {name} is not finite after step {self.global_step}; the last good "
                    "checkpoint is kept. A smaller lr may help"
                )

    def configure_optimizers(self) -> Any:
        decay = [p for p in self.parameters() if p.ndim > 1]
        rest = [p for p in self.parameters() if p.ndim <= 1]
        optimizer = torch.optim.AdamW(
            [{"params": decay, "weight_decay": self.weight_decay}, {"params": rest, "weight_decay": 0.0}],
            lr=self.lr,
        )
        steps = int(self.trainer.estimated_stepping_batches)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, self.lr, total_steps=steps, pct_start=0.15)
        return [optimizer], [{"scheduler": schedule, "interval": "step"}]


def stream(*key: int) -> int:
    """A seed of its own for each key."""
    return int(np.random.SeedSequence(key).generate_state(1)[0])


def fit(training: Training, folder: Path, epochs: int, machine: Machine = ONE_DEVICE) -> None:
    """Train; resumes from `folder/last.ckpt` if an earlier attempt was interrupted.

    Raises:
        TrainingError: the loss is no number.
        KeyboardInterrupt: Ctrl-C; the folder is resumable.
    """
    checkpoint = folder / CHECKPOINT
    trainer = _trainer(folder, epochs, machine)
    interrupts = signal.getsignal(signal.SIGINT)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="lightning")
            trainer.fit(training, ckpt_path=checkpoint if checkpoint.exists() else None, weights_only=False)
    except SystemExit:
        if not trainer.interrupted:
            raise
        # Lightning shuts down on Ctrl-C, and then exits as if that were a failure.
        signal.signal(signal.SIGINT, interrupts)
        raise KeyboardInterrupt from None
    if trainer.interrupted:
        raise KeyboardInterrupt


@contextmanager
def disk_of(folder: Path) -> Iterator[None]:
    """Whatever is written within: a full disk is one line.

    Raises:
        TrainingError: no space left.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise TrainingError(
            f"no space left on the disk of {folder}; free some, and the same command goes on where it stopped"
        ) from error


def save_weights(model: nn.Module, file: Path) -> None:
    """Write a model's weights, whole or not at all."""
    whole = io.BytesIO()
    torch.save(model.state_dict(), whole)
    write_whole(file, whole.getvalue())


def write_whole(file: Path, data: bytes) -> None:
    """Write a file so that whoever reads it finds all of it, or what was there before."""
    new = file.with_name(file.name + ".new")
    new.write_bytes(data)
    os.replace(new, file)


def load_weights(model: nn.Module, file: Path) -> None:
    """Read what `save_weights` wrote.

    Raises:
        TrainingError: the file is damaged, or of a model of another shape.
    """
    try:
        model.load_state_dict(torch.load(file, weights_only=True))
    except (RuntimeError, EOFError, OSError, KeyError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise TrainingError(f"{file} cannot be used: {reason}; delete it to train anew") from error


def has_bf16() -> bool:
    """Is there bfloat16? CPUs emulate it where they must."""
    return not torch.cuda.is_available() or torch.cuda.is_bf16_supported()


def _trainer(folder: Path, epochs: int, machine: Machine) -> L.Trainer:
    folder.mkdir(parents=True, exist_ok=True)
    callbacks: list[Callback] = [
        ModelCheckpoint(folder, filename=Path(CHECKPOINT).stem, enable_version_counter=False)
    ]
    if machine.progress:
        callbacks.append(RichProgressBar())
    loggers: list[Any] = [CSVLogger(folder, name="", version="log")]
    if find_spec("tensorboard"):
        loggers.append(TensorBoardLogger(folder, name="", version="log"))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="lightning")
        return L.Trainer(
            max_epochs=epochs,
            accelerator="auto",
            devices=machine.devices,
            # Spawned, not started again by its command line: what comes before and after runs once.
            strategy="ddp_spawn" if machine.devices > 1 else "auto",
            use_distributed_sampler=False,
            logger=loggers,
            enable_progress_bar=machine.progress,
            enable_model_summary=False,
            gradient_clip_val=1.0,
            callbacks=callbacks,
        )
