"""Class names and their centres in the space, with which a fused embedding is compared.

A class has several centres, each made of descriptions of it rather than of its bare name (class-wise
embedding centres, UniBind, arXiv 2403.12532); a vector is as similar to a class as to the nearest of them.
Loading takes time and memory linear in the number of classes.
"""

from __future__ import annotations

import io
from collections import Counter
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from omnibind_ros.errors import BundleError
from omnibind_ros.types import UNKNOWN


class LabelBank:
    """K classes with C centres each.

    Attributes:
        names: K class names.
        centres: float32 [K, C, D], unit norm.
        class_centres: float32 [K, D], unit norm: the mean direction of each class, for fusion models.

    Raises:
        BundleError: names and centres do not match, a name is empty, reserved or given twice, or a centre is
            zero or not finite.
    """

    def __init__(self, names: tuple[str, ...], centres: NDArray[np.float32]) -> None:
        _check_names(names)
        self.names = names
        self.centres = _directions(centres, names)
        self.class_centres = _class_centres(self.centres)
        self._rows = self.centres.reshape(-1, self.dim)

    @property
    def dim(self) -> int:
        """D, the dimension of the space."""
        return int(self.centres.shape[2])

    def similarity(self, vector: NDArray[np.float32]) -> NDArray[np.float32]:
        """Cosine of a unit vector [D] to the nearest centre of each class: float32 [K]."""
        cosines: NDArray[np.float32] = self._rows @ vector
        if len(cosines) == len(self.names):
            return cosines
        nearest: NDArray[np.float32] = cosines.reshape(len(self.names), -1).max(axis=1)
        return nearest

    def to_npz(self) -> bytes:
        """The bank as the bytes of an .npz file: `names` (unicode [K]) and `centres` (float32 [K, C, D])."""
        file = io.BytesIO()
        np.savez(file, names=np.array(self.names), centres=self.centres)
        return file.getvalue()

    @classmethod
    def from_npz(cls, data: bytes, where: str = "label bank") -> LabelBank:
        """Read the bytes of `to_npz`; `where` names the file in errors.

        Raises:
            BundleError: they are something else.
        """
        return cls._read(io.BytesIO(data), where)

    @classmethod
    def load(cls, path: Path) -> LabelBank:
        """Read a file with the bytes of `to_npz`.

        Raises:
            BundleError: it cannot be read, or is something else.
        """
        try:
            with path.open("rb") as file:
                return cls._read(file, str(path))
        except OSError as error:
            raise BundleError(f"{path}: cannot be read: {error.strerror}; fetch the bundle again") from error

    @classmethod
    def _read(cls, file: BinaryIO, where: str) -> LabelBank:
        try:
            with np.load(file, allow_pickle=False) as arrays:
                names, centres = arrays["names"], arrays["centres"]
        except Exception as error:  # zip and npy parsers raise a dozen kinds on damaged bytes
            raise BundleError(
                f"{where} is not an .npz file of 'names' and 'centres' ({error}); export the bundle again"
            ) from None
        try:
            return cls(tuple(map(str, names.reshape(-1).tolist())), centres)
        except BundleError as error:
            raise BundleError(f"{where}: {error}") from None


def _check_names(names: tuple[str, ...]) -> None:
    if not names:
        raise BundleError("a label bank needs at least one class")
    counts = Counter(names)
    for reserved in ("", UNKNOWN):
        if reserved in counts:
            raise BundleError(f"{reserved!r} cannot be the name of a class; rename it in the recipe")
    if len(counts) < len(names):
        name = counts.most_common(1)[0][0]
        raise BundleError(f"class {name!r} is given twice; class names must differ")


def _directions(centres: NDArray[np.float32], names: tuple[str, ...]) -> NDArray[np.float32]:
    """The centres checked and normalised, float32 [K, C, D]."""
    if centres.ndim != 3 or centres.shape[0] != len(names) or 0 in centres.shape:
        raise BundleError(
            f"centres have shape {centres.shape}; {len(names)} classes need ({len(names)}, C, D)"
        )
    if centres.dtype.kind != "f":
        raise BundleError(f"centres have dtype {centres.dtype}; they must be float32")
    norms = np.sqrt(np.einsum("kcd,kcd->kc", centres, centres))
    usable = np.isfinite(norms) & (norms > 1e-6)
    if not usable.all():
        row, centre = np.argwhere(~usable)[0]
        raise BundleError(
            f"centre {centre} of class {names[row]!r} is zero or not finite; it has no direction"
        )
    return np.ascontiguousarray(centres / norms[..., None], np.float32)


def _class_centres(centres: NDArray[np.float32]) -> NDArray[np.float32]:
    """float32 [K, D]: the mean direction of unit centres [K, C, D]."""
    if centres.shape[1] == 1:
        return centres[:, 0]
    mean = centres.mean(axis=1)
    return np.asarray(mean / np.maximum(np.linalg.norm(mean, axis=1, keepdims=True), 1e-12), np.float32)
