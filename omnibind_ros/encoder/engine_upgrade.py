"""An encoder starts at once on ONNX Runtime and goes on with TensorRT when its plan is built.

    thread of the upgrade:  worker process builds the plan -> load it -> warm it up -> ready
    thread of the encoder:  between two samples: take() -> use the new engine, close the old one

A build that fails leaves the encoder as it is; it is not tried again before the next start.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Literal

from omnibind_ros.bundle.loading import Bundle
from omnibind_ros.engines.engine import Engine
from omnibind_ros.engines.tensorrt.build import BuildProgress
from omnibind_ros.engines.tensorrt.plan import PlanMissing, PlanOptions
from omnibind_ros.engines.tensorrt.plan_build import PlanBuild
from omnibind_ros.errors import BackendError
from omnibind_ros.types import Modality

log = logging.getLogger(__name__)

Build = Literal["background", "never"]

_LOGGED_STEP = 10
"""percent"""


class EngineUpgrade:
    """A faster engine in the making.

    Args:
        name: of the encoder, for the log.
        start: begins to build the plan.
        load: opens the engine once the plan is there.
    """

    def __init__(self, name: str, start: Callable[[], PlanBuild], load: Callable[[], Engine]) -> None:
        self._name, self._start, self._load = name, start, load
        self._lock = threading.Lock()
        self._build: PlanBuild | None = None
        self._engine: Engine | None = None
        self._outcome = ""
        self._closed = False
        self._logged = 0
        self._thread = threading.Thread(target=self._work, name=f"build_{name}", daemon=True)
        self._thread.start()

    @property
    def status(self) -> str:
        """How it stands, for diagnostics: `building: 43 % (...), 35 s`, `built` or `failed: why`."""
        build = self._build
        return self._outcome or f"building: {build.status if build else 'starting'}"

    def take(self) -> Engine | None:
        """The new engine, warmed up, once; None before and after. Never waits for the build."""
        if self._engine is None:
            return None
        with self._lock:
            engine, self._engine = self._engine, None
        return engine

    def close(self) -> None:
        """End the build; an engine that nobody took is closed. Idempotent."""
        with self._lock:
            self._closed = True
            build = self._build
        if build is not None:
            build.close()
        self._thread.join()
        if (untaken := self.take()) is not None:
            untaken.close()

    def _work(self) -> None:
        try:
            with self._lock:
                if self._closed:
                    return
                self._build = self._start()
            log.info("%s: building a TensorRT plan, which may take minutes", self._name)
            self._build.wait(self._log_progress)
            engine = self._load()
            engine.warm_up()
        except Exception as error:  # a fault here must not be silent, nor stop an encoder that works
            outcome = f"failed: {error if isinstance(error, BackendError) else repr(error)}"
            if not self._closed:
                log.warning("%s stays on ONNX Runtime: %s", self._name, outcome)
            self._outcome = outcome
            return
        self._outcome = "built"
        with self._lock:
            self._engine = engine

    def _log_progress(self, progress: BuildProgress) -> None:
        percent = progress.percent or 0
        if percent >= self._logged + _LOGGED_STEP:
            self._logged = percent
            log.info("%s: building a TensorRT plan: %d %% (%s)", self._name, percent, progress.phase)


def open_encoder_engine(
    bundle: Bundle,
    modality: Modality,
    *,
    precision: str | None = None,
    backend: str = "auto",
    threads: int = 1,
    provider: str = "auto",
    plan: PlanOptions | None = None,
    build: Build = "never",
) -> tuple[Engine, EngineUpgrade | None]:
    """The engine to start with, and a faster one in the making if TensorRT only lacks the plan.

    Args:
        build: `background`: build a missing plan meanwhile; `never`: do without it (`auto`) or refuse
            (`tensorrt`).

    Raises:
        OmniBindError: as `Bundle.load_encoder`.
    """

    def load(backend: str) -> Engine:
        return bundle.load_encoder(
            modality, precision=precision, backend=backend, threads=threads, provider=provider, plan=plan
        )

    if build == "background" and backend in ("auto", "tensorrt"):
        try:
            return load("tensorrt"), None
        except PlanMissing as missing:
            log.info("%s starts on ONNX Runtime: %s", modality, missing)
            model = bundle.encoder_model(modality, precision, "tensorrt")
            options = replace(plan or PlanOptions(), precision=model.precision)
            engine = load("onnxruntime")
            start = lambda: PlanBuild(model.path, options)  # noqa: E731
            return engine, EngineUpgrade(modality, start, lambda: load("tensorrt"))
        except BackendError:
            if backend == "tensorrt":
                raise
    return load(backend), None
