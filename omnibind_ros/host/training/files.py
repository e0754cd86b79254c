"""Files of a training run: written whole or not at all, with one clear error when the disk is full."""

from __future__ import annotations

import errno
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import nn

from omnibind_ros.errors import TrainingError


def write_atomically(file: Path, data: bytes) -> None:
    """Replace a file in one step: a reader finds the old content or the new, never a part of it."""
    new = file.with_name(file.name + ".new")
    new.write_bytes(data)
    os.replace(new, file)


def save_weights(model: nn.Module, file: Path) -> None:
    """Write the state of a model atomically."""
    buffer = io.BytesIO()
    torch.save(model.state_dict(), buffer)
    write_atomically(file, buffer.getvalue())


def load_weights(model: nn.Module, file: Path) -> None:
    """Load what `save_weights` wrote.

    Raises:
        TrainingError: the file is damaged or belongs to a model of another shape.
    """
    try:
        model.load_state_dict(torch.load(file, weights_only=True))
    except (RuntimeError, EOFError, OSError, KeyError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise TrainingError(f"cannot load {file}: {reason}; delete it to train again") from error


@contextmanager
def reporting_full_disk(folder: Path) -> Iterator[None]:
    """Turn "no space left on device" within the block into one line.

    Args:
        folder: the folder that the error names.

    Raises:
        TrainingError: the disk or the quota is full.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise TrainingError(
            f"no space left on the disk of {folder}; free some, then run the same command to continue"
        ) from error
