"""An encoder starts at once on ONNX Runtime and switches to TensorRT when its plan is built.

    thread of the upgrade:  worker process builds the plan -> load it -> warm it up -> ready
    thread of the encoder:  between two samples: take() -> use the new engine, close the old one

If the build fails, the encoder stays on ONNX Runtime until its next start.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import replace

from omnibind_ros.bundle.loading import Bundle
from omnibind_ros.engines.engine import Engine, EngineOptions
from omnibind_ros.engines.tensorrt.build import BuildProgress
from omnibind_ros.engines.tensorrt.plan import PlanMissing
from omnibind_ros.engines.tensorrt.plan_build import PlanBuild
from omnibind_ros.errors import BackendError
from omnibind_ros.types import Modality

log = logging.getLogger(__name__)

_LOGGED_STEP = 10
"""percent"""


class EngineUpgrade:
    """Builds the plan of a faster engine, and loads the engine.

    Args:
        name: name of the encoder in the log.
        start: starts to build the plan.
        load: loads the engine from the plan.
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
        """Status for diagnostics: `building: 43 % (...), 35 s`, `built` or `failed: reason`."""
        build = self._build
        return self._outcome or f"building: {build.status if build else 'starting'}"

    def take(self) -> Engine | None:
        """The new engine, warmed up, once; None before and after. Never blocks."""
        if self._engine is None:
            return None
        with self._lock:
            engine, self._engine = self._engine, None
        return engine

    def close(self) -> None:
        """End the build; close the engine if it was not taken. Idempotent."""
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
        except Exception as error:  # must be reported, and must not stop the running encoder
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
    bundle: Bundle, modality: Modality, options: EngineOptions
) -> tuple[Engine, EngineUpgrade | None]:
    """The engine to start with, and an upgrade if TensorRT only lacks the plan and `build` allows it.

    Raises:
        OmniBindError: as `Bundle.load_encoder`.
    """

    def load(backend: str) -> Engine:
        return bundle.load_encoder(modality, replace(options, backend=backend))

    if options.build == "background" and options.backend in ("auto", "tensorrt"):
        try:
            return load("tensorrt"), None
        except PlanMissing as missing:
            log.info("%s starts on ONNX Runtime: %s", modality, missing)
            model = bundle.encoder_model(modality, options.precision, "tensorrt")
            plan = replace(options, precision=model.precision).plan
            engine = load("onnxruntime")
            start = lambda: PlanBuild(model.path, plan)  # noqa: E731
            return engine, EngineUpgrade(modality, start, lambda: load("tensorrt"))
        except BackendError:
            if options.backend == "tensorrt":
                raise
    return load(options.backend), None
