"""Loads a bundle completely, or refuses it with the exact reason.

Loading checks the manifest and the checksum of every file (streamed, nothing is kept in memory). A model is
read when its engine is loaded, so that an encoder process holds only its own model.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from omnibind_ros.bundle.manifest import FORMAT_VERSION, BundleFile, Manifest, ModelInput
from omnibind_ros.config.resources import MANIFEST, find_bundle, sha256_of
from omnibind_ros.config.strict_yaml import read_yaml
from omnibind_ros.engines.engine import DEFAULT_OPTIONS, Engine, EngineOptions, load_engine
from omnibind_ros.errors import BundleError, ConfigError, SpaceMismatch
from omnibind_ros.names import nearest
from omnibind_ros.types import Modality, Space


@dataclass(frozen=True)
class EncoderModel:
    """One encoder of a bundle in one precision.

    Attributes:
        path, sha256: the ONNX file.
        input: name, shape and dtype of its input.
        preprocessing: constants of the modality's preprocessor.
    """

    modality: Modality
    precision: str
    path: Path
    sha256: str
    input: ModelInput
    preprocessing: Mapping[str, Any]


@dataclass(frozen=True)
class Bundle:
    """A checked bundle: `Bundle.load("digits")` or `Bundle.load("path/of/its/folder")`."""

    folder: Path
    manifest: Manifest

    @classmethod
    def load(cls, name_or_path: str | Path) -> Bundle:
        """Find, read and check a bundle.

        Raises:
            ConfigError: there is no such bundle.
            BundleError: it is damaged, incomplete, or of a newer format; names the file and the reason.
            SpaceMismatch: an encoder was trained into another space.
        """
        folder = find_bundle(name_or_path)
        bundle = cls(folder, _read_manifest(folder / MANIFEST))
        for file in bundle.manifest.files():
            _check_file(folder, file)
        bundle._check_spaces()
        return bundle

    @property
    def name(self) -> str:
        return self.manifest.name

    @cached_property
    def space(self) -> Space:
        """The space of every embedding of this bundle."""
        return Space(self.manifest.space.id, self.manifest.space.dim)

    @property
    def modalities(self) -> tuple[Modality, ...]:
        """Modalities for which the bundle has encoders."""
        return tuple(self.manifest.encoders)

    @property
    def fusion_path(self) -> Path:
        """ONNX file of the Adaptive Fusion step."""
        return self.folder / self.manifest.fusion.file

    @property
    def labels_path(self) -> Path:
        """The label bank."""
        return self.folder / self.manifest.labels.file

    def encoder_model(
        self, modality: Modality, precision: str | None = None, backend: str = "onnxruntime"
    ) -> EncoderModel:
        """One encoder; `precision` None is the bundle's default for the backend.

        Raises:
            ConfigError: no such encoder or precision; names the nearest.
        """
        entry = self.manifest.encoders.get(modality)
        if entry is None:
            raise ConfigError(
                f"bundle {self.name!r} has no encoder for {modality!r}{nearest(modality, self.modalities)}"
            )
        precision = precision or entry.precision_for(backend)
        file = entry.precisions.get(precision)
        if file is None:
            raise ConfigError(
                f"bundle {self.name!r} has no {modality} encoder of precision {precision!r}"
                f"{nearest(precision, entry.precisions)}"
            )
        return EncoderModel(
            modality, precision, self.folder / file.file, file.sha256, entry.input, entry.preprocessing
        )

    def load_encoder(self, modality: Modality, options: EngineOptions = DEFAULT_OPTIONS) -> Engine:
        """The engine of one encoder, checked against the manifest.

        Raises:
            ConfigError: no such encoder, precision, backend or provider.
            PlanMissing: backend `tensorrt` has no plan of it yet.
            BackendError: the backend cannot load it.
            BundleError: the model does not match the manifest.
            SpaceMismatch: its embedding has another dimension than the space.
        """

        def model_for(backend: str) -> EncoderModel:
            on_tensorrt = options.provider == "tensorrt"
            return self.encoder_model(modality, options.precision, "tensorrt" if on_tensorrt else backend)

        of_plan = replace(options, precision=model_for("tensorrt").precision)
        engine = load_engine(lambda backend: model_for(backend).path, of_plan)
        self._check_encoder(model_for("onnxruntime"), engine)
        return engine

    def load_fusion(self, *, backend: str = "auto", threads: int = 1) -> Engine:
        """The engine of the Adaptive Fusion step; `auto` is the CPU, faster than a copy to a GPU.

        Raises:
            ConfigError: no such backend.
            BackendError: the backend cannot load it.
        """
        backend = "onnxruntime" if backend == "auto" else backend
        return load_engine(self.fusion_path, EngineOptions(backend, threads=threads, provider="cpu"))

    def _check_spaces(self) -> None:
        for modality, entry in self.manifest.encoders.items():
            if entry.space not in (None, self.space.id):
                raise SpaceMismatch(
                    f"{self.folder / MANIFEST}: encoder {modality!r} was trained into space {entry.space!r}, "
                    f"the bundle is of space {self.space.id!r}; retrain it or bond it to this space"
                )

    def _check_encoder(self, model: EncoderModel, engine: Engine) -> None:
        wanted = model.input
        actual = [(spec.name, spec.shape, str(spec.dtype)) for spec in engine.inputs]
        if actual != [(wanted.name, wanted.shape, wanted.dtype)]:
            raise BundleError(
                f"{model.path}: its input is {', '.join(map(str, engine.inputs))}, in the manifest it is "
                f"{wanted.name}: {wanted.dtype} {list(wanted.shape)}; export the bundle again"
            )
        outputs = {spec.name: spec.shape for spec in engine.outputs}
        for name in ("embedding", "evidence"):
            if name not in outputs:
                raise BundleError(f"{model.path}: has no output {name!r}, only {', '.join(outputs)}")
        if outputs["evidence"] != (1,):
            raise BundleError(f"{model.path}: its evidence has shape {list(outputs['evidence'])}, not [1]")
        if outputs["embedding"] != (1, self.space.dim):
            raise SpaceMismatch(
                f"{model.path}: its embedding has shape {list(outputs['embedding'])}, "
                f"space {self.space.id!r} needs [1, {self.space.dim}]"
            )


def _read_manifest(path: Path) -> Manifest:
    try:
        document = read_yaml(path)
        version = document.data.get("format_version") if isinstance(document.data, dict) else None
        if type(version) is int and version > FORMAT_VERSION:
            raise BundleError(
                f"{path}: bundle format {version} is newer than {FORMAT_VERSION}, the newest that this "
                "omnibind_ros reads; update omnibind_ros or export the bundle with this version"
            )
        return document.validate(Manifest)
    except ConfigError as error:
        raise BundleError(str(error)) from error


def _check_file(folder: Path, expected: BundleFile) -> None:
    path = folder / expected.file
    try:
        size = path.stat().st_size
        if expected.size_bytes not in (None, size):
            raise BundleError(
                f"{path}: has {size} bytes instead of {expected.size_bytes}; fetch the bundle again"
            )
        actual = sha256_of(path)
    except FileNotFoundError as error:
        raise BundleError(f"{path}: missing, though {MANIFEST} lists it; fetch the bundle again") from error
    except OSError as error:
        raise BundleError(f"{path}: cannot be read: {error.strerror}") from error
    if actual != expected.sha256:
        raise BundleError(
            f"{path}: damaged: sha256 {actual[:12]}... instead of {expected.sha256[:12]}...; "
            "fetch the bundle again"
        )
