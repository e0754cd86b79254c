"""Class names and their centres in the space: what a fused embedding is compared with.

A class has several centres, each made of descriptions of it rather than of its bare name (class-wise
embedding centres, UniBind, arXiv 2403.12532); a vector is as similar to a class as to the nearest of them.
"""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray

from omnibind_ros.errors import BundleError
from omnibind_ros.types import UNKNOWN


class LabelBank:
    """K classes with C centres each.

    Attributes:
        names: K class names.
        centres: float32 [K, C, D], unit norm.
        class_centres: float32 [K, D], unit norm: the mean direction of each class, what fusion models take.

    Raises:
        BundleError: names and centres do not match, a name is empty, reserved or there twice, or a centre is
            zero or not finite.
    """

    def __init__(self, names: tuple[str, ...], centres: NDArray[np.float32]) -> None:
        _check(names, centres)
        self.names = names
        self.centres = _unit(np.asarray(centres, np.float32))
        self.class_centres = _unit(self.centres.mean(axis=1))
        self._rows = np.ascontiguousarray(self.centres.reshape(-1, self.dim))

    @property
    def dim(self) -> int:
        """D, the dimension of the space."""
        return int(self.centres.shape[2])

    def similarity(self, vector: NDArray[np.float32]) -> NDArray[np.float32]:
        """Cosine of a unit vector [D] to the nearest centre of each class: float32 [K]."""
        nearest: NDArray[np.float32] = (self._rows @ vector).reshape(len(self.names), -1).max(axis=1)
        return nearest

    def to_npz(self) -> bytes:
        """The bank as the bytes of an .npz file: `names` (unicode [K]) and `centres` (float32 [K, C, D])."""
        file = io.BytesIO()
        np.savez(file, names=np.array(self.names), centres=self.centres)
        return file.getvalue()

    @classmethod
    def from_npz(cls, data: bytes, where: str = "label bank") -> LabelBank:
        """Read what `to_npz` wrote; `where` names the file in errors.

        Raises:
            BundleError: it is something else.
        """
        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
                names, centres = arrays["names"], arrays["centres"]
        except Exception as error:  # zip and npy parsers raise a dozen kinds on damaged bytes
            raise BundleError(
                f"{where} is no .npz of 'names' and 'centres' ({error}); export the bundle again"
            ) from None
        try:
            return cls(tuple(str(name) for name in names.reshape(-1)), centres)
        except BundleError as error:
            raise BundleError(f"{where}: {error}") from None


def _check(names: tuple[str, ...], centres: NDArray[np.float32]) -> None:
    if not names:
        raise BundleError("a label bank needs at least one class")
    for name in names:
        if not name or name == UNKNOWN:
            raise BundleError(f"{name!r} cannot be the name of a class; rename it in the recipe")
        if names.count(name) > 1:
            raise BundleError(f"class {name!r} is there twice; names of classes must differ")
    if centres.ndim != 3 or centres.shape[0] != len(names) or 0 in centres.shape:
        raise BundleError(
            f"centres have shape {centres.shape}; {len(names)} classes need ({len(names)}, C, D)"
        )
    if centres.dtype.kind != "f":
        raise BundleError(f"centres have dtype {centres.dtype}; they must be float32")
    norms = np.linalg.norm(centres, axis=2)
    usable = np.isfinite(norms) & (norms > 1e-6)
    if not usable.all():
        row, centre = np.argwhere(~usable)[0]
        raise BundleError(
            f"centre {centre} of class {names[row]!r} is zero or not finite; it has no direction"
        )


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    norms = np.linalg.norm(vectors, axis=-1, keepdims=True)
    unit: NDArray[np.float32] = (vectors / np.maximum(norms, 1e-12)).astype(np.float32)
    return unit
