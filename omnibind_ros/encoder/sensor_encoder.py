"""One sensor's messages in, its embeddings out: adaptor, then engine, and counters for diagnostics."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any

from omnibind_ros.bundle.loading import Bundle
from omnibind_ros.encoder.engine_upgrade import EngineUpgrade, open_encoder_engine
from omnibind_ros.engines.engine import DEFAULT_OPTIONS, Engine, EngineOptions
from omnibind_ros.errors import BadMessage, BundleError
from omnibind_ros.modalities.preprocessor import Preprocessor, Sample
from omnibind_ros.modalities.registry import make_preprocessor
from omnibind_ros.names import check_sensor_name
from omnibind_ros.types import Embedding, Modality

_SMOOTHING = 1 / 16

log = logging.getLogger(__name__)


@dataclass
class EncoderCounters:
    """What happened so far; written by the encoder's thread, read by diagnostics.

    Attributes:
        messages: messages decoded.
        embeddings: samples encoded.
        empty, empty_reason: samples of quality 0, and what the last one lacked.
        rejected, rejected_reason: messages that could not be decoded, and why the last one.
        skipped: complete samples that were not encoded because a newer one was there already.
        gaps: messages lost before they could be decoded, and those that the messages themselves reveal as
            lost (by their sequence numbers).
        stamp_offset_s: how far the driver's clock is off if its stamps are not used, else None.
        stamp_fault: why a stream is timed by receipt instead of by its stamps; empty if it is not.
        decode_ms, encode_ms: running means of one message's decoding and preprocessing, and of one inference.
    """

    messages: int = 0
    embeddings: int = 0
    empty: int = 0
    empty_reason: str = ""
    rejected: int = 0
    rejected_reason: str = ""
    skipped: int = 0
    gaps: int = 0
    stamp_offset_s: float | None = None
    stamp_fault: str = ""
    decode_ms: float = 0.0
    encode_ms: float = 0.0


class SensorEncoder:
    """The encoder of one sensor, without threads or middleware; one thread at a time may use it.

    Args:
        bundle: where the model comes from; gives the space.
        sensor: its name.
        modality: its kind of signal.
        adaptor: turns its messages into model inputs.
        engine: model with one input and the outputs `embedding` float32 [1,D] and `evidence` float32 [1].
        upgrade: a faster engine of the same model in the making; taken between two samples when it is ready.
        frame_id: coordinate frame to use instead of the messages' own.
        max_stamp_skew_s: stamps further than this from the time of receipt are replaced by it.

    Raises:
        ConfigError: the sensor's name cannot stand in a topic.
        BundleError: the adaptor makes other inputs than the model takes.
    """

    def __init__(
        self,
        bundle: Bundle,
        sensor: str,
        modality: Modality,
        *,
        adaptor: Preprocessor,
        engine: Engine,
        upgrade: EngineUpgrade | None = None,
        frame_id: str | None = None,
        max_stamp_skew_s: float = 10.0,
    ) -> None:
        self.sensor = check_sensor_name(sensor)
        self.modality = modality
        self.space = bundle.space
        self.adaptor = adaptor
        self.engine = engine
        self._upgrade = upgrade
        self.counters = EncoderCounters()
        self._frame_id = frame_id
        self._max_stamp_skew_ns = round(max_stamp_skew_s * 1e9)
        self._input = engine.inputs[0].name
        if adaptor.input_shape != engine.inputs[0].shape:
            raise BundleError(
                f"bundle {bundle.name!r}: preprocessing of {modality!r} makes {list(adaptor.input_shape)}, "
                f"its model takes {engine.inputs[0]}; export the bundle again"
            )
        engine.warm_up()

    @classmethod
    def open(
        cls,
        bundle: Bundle,
        sensor: str,
        modality: Modality,
        *,
        options: Mapping[str, Any] | None = None,
        engine: EngineOptions = DEFAULT_OPTIONS,
        frame_id: str | None = None,
        max_stamp_skew_s: float = 10.0,
    ) -> SensorEncoder:
        """Open the preprocessor and the engine that the bundle defines.

        Args:
            options: the encoding of this device's messages; see the modality's preprocessor.
            engine: how the model is run.

        Raises:
            OmniBindError: the bundle, the options or the backend cannot be used.
        """
        preprocessing = dict(bundle.encoder_model(modality, engine.precision).preprocessing)
        adaptor = make_preprocessor(modality, preprocessing, **(options or {}))
        opened, upgrade = open_encoder_engine(bundle, modality, engine)
        return cls(
            bundle,
            sensor,
            modality,
            adaptor=adaptor,
            engine=opened,
            upgrade=upgrade,
            frame_id=frame_id,
            max_stamp_skew_s=max_stamp_skew_s,
        )

    def feed(self, message: Any, now: int) -> list[Embedding]:
        """Take one message and encode every sample that it completes.

        Args:
            message: anything the adaptor decodes.
            now: time of receipt, ns since the epoch.

        Raises:
            BadMessage: it could not be decoded; already counted.
        """
        embeddings = (self.encode(sample) for sample in self.decode(message, now))
        return [embedding for embedding in embeddings if embedding is not None]

    def decode(self, message: Any, now: int) -> list[Sample]:
        """The samples that a message completes; their data is valid until the next call.

        Raises:
            BadMessage: it could not be decoded; already counted.
        """
        begun, lost = perf_counter(), self.adaptor.lost_messages
        try:
            samples = self.adaptor.feed(message, now)
        except BadMessage as error:
            self.reject(str(error))
            raise
        finally:
            self.counters.gaps += self.adaptor.lost_messages - lost
            self.counters.stamp_fault = self.adaptor.stamp_fault
        self.counters.decode_ms = _running_mean(self.counters.decode_ms, begun, self.counters.messages)
        self.counters.messages += 1
        return [self._stamped(sample, now) for sample in samples]

    def encode(self, sample: Sample) -> Embedding | None:
        """The embedding of a sample, or None if nothing valid is in it."""
        if sample.quality <= 0:
            self.counters.empty += 1
            self.counters.empty_reason = sample.reason or "no signal"
            return None
        self._switch_over()
        begun = perf_counter()
        outputs = self.engine.run({self._input: sample.data})
        embedding = Embedding(
            sensor=self.sensor,
            modality=self.modality,
            vector=outputs["embedding"][0].copy(),
            stamp=sample.stamp,
            space=self.space.tag,
            quality=sample.quality,
            evidence=float(outputs["evidence"][0]),
            frame_id=sample.frame_id if self._frame_id is None else self._frame_id,
            span=sample.span_s,
        )
        self.counters.encode_ms = _running_mean(self.counters.encode_ms, begun, self.counters.embeddings)
        self.counters.embeddings += 1
        return embedding

    def reject(self, reason: str) -> None:
        """Count a message that could not be decoded."""
        self.counters.rejected += 1
        self.counters.rejected_reason = reason

    def restart(self, lost: int = 0) -> None:
        """Begin a new window: messages were lost, or the driver was silent."""
        self.counters.gaps += lost
        if self.adaptor.stream:
            self.adaptor.reset()

    @property
    def plan_status(self) -> str:
        """How a TensorRT plan in the making stands; empty if there is none."""
        return self._upgrade.status if self._upgrade else ""

    def close(self) -> None:
        """Free the model, and end the making of a faster one."""
        if self._upgrade is not None:
            self._upgrade.close()
        self.engine.close()

    def _switch_over(self) -> None:
        better = self._upgrade.take() if self._upgrade else None
        if better is None:
            return
        log.info("%s goes on with %s", self.sensor, better.backend)
        slower, self.engine = self.engine, better
        slower.close()

    def _stamped(self, sample: Sample, now: int) -> Sample:
        offset = sample.stamp - now
        if sample.stamp and abs(offset) <= self._max_stamp_skew_ns:
            self.counters.stamp_offset_s = None
            return sample
        # A message without a header has no clock that could be wrong.
        self.counters.stamp_offset_s = offset / 1e9 if sample.stamp else None
        return replace(sample, stamp=now)


def _running_mean(mean_ms: float, begun: float, count: int) -> float:
    """Exponentially forgetting mean; the plain one at first, so that the start-up values do not linger."""
    elapsed_ms = (perf_counter() - begun) * 1e3
    return mean_ms + (elapsed_ms - mean_ms) * max(_SMOOTHING, 1 / (count + 1))
