"""The cache of TensorRT plans on disk, shared by all processes.

A plan runs only with the model, GPU, TensorRT version and settings for which it was built. They form its
`PlanKey`, which determines the file's name and is stored in the file. A file whose key or checksum does not
match is never passed to TensorRT, whose deserialiser does not validate its input.

    ~/.cache/omnibind_ros/plans/audio.fp16-0f3c9ae1b2d4c6e8.plan     key, checksum, plan
                                ....plan.part                        being written
                                timings-77aa0b12cd34ef56.cache       kernel timings of one GPU and version
                                building.lock                        held by the process that builds
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from omnibind_ros.config.resources import sha256_of
from omnibind_ros.errors import BackendError

RECIPE = 1
"""Incremented when this package builds plans differently, so that older plans are built again."""

_MAGIC = b"omnibind_ros plan\n"


class PlanMissing(BackendError):
    """TensorRT is available, but the plan of this model has not been built on this machine yet."""


@dataclass(frozen=True)
class PlanOptions:
    """How a plan is built.

    Attributes:
        precision: precision of the ONNX file, `fp32`, `fp16` or `int8`; TensorRT 8.6 does not detect it.
        workspace_mb: workspace limit of a kernel, MiB.
        dla_core: DLA core (Orin: 0 or 1), with GPU fallback; None = GPU only.
    """

    precision: str = "fp32"
    workspace_mb: int = 512
    dla_core: int | None = None


@dataclass(frozen=True)
class PlanKey:
    """Everything on which a plan depends."""

    model: str
    """name of the ONNX file without its suffix"""
    onnx_sha256: str
    gpu: str
    compute_capability: str
    tensorrt: str
    options: PlanOptions
    recipe: int = RECIPE

    @classmethod
    def of(
        cls, onnx_path: Path, options: PlanOptions, *, gpu: str, compute_capability: str, tensorrt: str
    ) -> PlanKey:
        """The key of a model on this machine.

        Raises:
            BackendError: the ONNX file cannot be read.
        """
        try:
            digest = sha256_of(onnx_path)
        except OSError as error:
            raise BackendError(f"TensorRT cannot load {onnx_path}: {error.strerror}") from error
        return cls(onnx_path.stem, digest, gpu, compute_capability, tensorrt, options)

    @property
    def file(self) -> str:
        return f"{self.model}-{_digest_of(asdict(self))}.plan"

    @property
    def timings_file(self) -> str:
        """Kernel timings are valid for all models on the same GPU and TensorRT version."""
        return f"timings-{_digest_of([self.gpu, self.compute_capability, self.tensorrt])}.cache"


def cache_folder() -> Path:
    """`$OMNIBIND_CACHE`, else `$XDG_CACHE_HOME/omnibind_ros`, else `~/.cache/omnibind_ros`."""
    if own := os.environ.get("OMNIBIND_CACHE"):
        return Path(own).expanduser()
    xdg = os.environ.get("XDG_CACHE_HOME")
    return (Path(xdg) if xdg else Path.home() / ".cache") / "omnibind_ros"


class PlanCache:
    """The plans of this machine, shared by all processes."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or cache_folder() / "plans"

    def path(self, key: PlanKey) -> Path:
        return self.folder / key.file

    def load(self, key: PlanKey) -> memoryview:
        """The plan of a key.

        Raises:
            PlanMissing: it is not built yet, or the file is damaged; names which.
        """
        path = self.path(key)
        try:
            return _unsealed(path, asdict(key))
        except FileNotFoundError:
            problem = f"no TensorRT plan of {key.model} for {key.gpu} and TensorRT {key.tensorrt} yet"
        except (OSError, ValueError) as error:
            problem = f"TensorRT plan {path} cannot be used: {error}"
        raise PlanMissing(f"{problem}; run `omnibind build` to build it")

    def store(self, key: PlanKey, plan: bytes | memoryview) -> Path:
        """Store a plan atomically; only while `building`.

        Raises:
            BackendError: the disk is full, or the folder is not writable.
        """
        path = self.path(key)
        try:
            _seal(path, asdict(key), plan)
        except OSError as error:
            raise self._cannot_store(error) from error
        return path

    def discard(self, key: PlanKey) -> None:
        """Delete a plan that TensorRT refused."""
        self.path(key).unlink(missing_ok=True)

    def load_timings(self, key: PlanKey) -> bytes:
        """Kernel timings of earlier builds; empty if there are none."""
        try:
            return bytes(_unsealed(self.folder / key.timings_file, {}))
        except (OSError, ValueError):
            return b""

    def store_timings(self, key: PlanKey, timings: bytes | memoryview) -> None:
        """Store kernel timings, which make later builds faster; only while `building`."""
        with suppress(OSError):
            _seal(self.folder / key.timings_file, {}, timings)

    @contextmanager
    def building(self, wait: Callable[[], None] = lambda: None) -> Iterator[None]:
        """Hold the lock for building. Only one process builds at a time: builders that measure kernels on one
        GPU disturb each other's measurements, and small boards lack the memory. The operating system releases
        the lock when the process ends.

        Args:
            wait: called once if another process is building.

        Raises:
            BackendError: the cache is not writable.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            lock = (self.folder / "building.lock").open("a")
        except OSError as error:
            raise self._cannot_store(error) from error
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                wait()
                fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _cannot_store(self, error: OSError) -> BackendError:
        advice = "free some space" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "make it writable"
        return BackendError(
            f"cannot store plans in {self.folder}: {error.strerror}; {advice}, or set OMNIBIND_CACHE"
        )


def _seal(path: Path, key: dict[str, object], payload: bytes | memoryview) -> None:
    """Write key, checksum and payload atomically: `path` is always the old file or the new one."""
    header = {"key": key, "sha256": hashlib.sha256(payload).hexdigest()}
    # Only the holder of the lock writes, so a leftover of a killed process can be overwritten.
    part = path.with_name(f"{path.name}.part")
    try:
        with part.open("wb") as file:
            file.write(_MAGIC)
            file.write(json.dumps(header).encode() + b"\n")
            file.write(payload)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError:
        part.unlink(missing_ok=True)
        raise


def _unsealed(path: Path, key: dict[str, object]) -> memoryview:
    """The payload of a sealed file.

    Raises:
        OSError: it cannot be read.
        ValueError: it is damaged or has another key.
    """
    content = memoryview(path.read_bytes())
    if bytes(content[: len(_MAGIC)]) != _MAGIC:
        raise ValueError("it is not a plan")
    end = bytes(content[: 1 << 16]).find(b"\n", len(_MAGIC))
    try:
        header = json.loads(bytes(content[len(_MAGIC) : max(end, 0)]))
        written_for, checksum = header["key"], header["sha256"]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError("its header is damaged") from error
    payload = content[end + 1 :]
    if hashlib.sha256(payload).hexdigest() != checksum:
        raise ValueError("it is damaged")
    if written_for != json.loads(json.dumps(key)):
        raise ValueError("it was built for another model, GPU, version or setting")
    return payload


def _digest_of(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]
