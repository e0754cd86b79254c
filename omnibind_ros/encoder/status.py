"""The state of an encoder, from what its worker has counted since the last look; for diagnostics."""

from __future__ import annotations

from dataclasses import replace
from time import monotonic

from omnibind_ros.encoder.worker import EncoderWorker
from omnibind_ros.types import SensorState, SensorStatus


class EncoderStatus:
    """Looks at one worker.

    LIVE: embeddings come. STALE: messages come with nothing in them, or the driver is silent.
    LOST: no driver. FAULTY: messages come and none can be used.
    """

    def __init__(self, worker: EncoderWorker) -> None:
        self._worker = worker
        self._seen = replace(worker.encoder.counters)
        self._seen_at = monotonic()
        self._seen_failures = 0
        self._verdict = (SensorState.STALE, "no message yet")
        self._rate = 0.0

    def look(self, *, driver_present: bool, problem: str = "") -> SensorStatus:
        """The status now.

        Args:
            driver_present: the raw topic has a publisher.
            problem: why what is published there cannot be read at all.
        """
        state, reason = self._judge(driver_present, problem)
        counters = self._worker.encoder.counters
        return SensorStatus(
            self._worker.encoder.sensor,
            self._worker.encoder.modality,
            state,
            reason,
            rate_hz=self._rate,
            rejected=counters.rejected,
        )

    @property
    def malformed(self) -> int:
        """Messages that are no CDR of their type."""
        return self._worker.malformed

    def values(self) -> dict[str, object]:
        """The figures behind it."""
        worker, counters = self._worker, self._worker.encoder.counters
        period = worker.driver_period_s
        return {
            "backend": worker.encoder.engine.backend,
            **({"tensorrt_plan": plan} if (plan := worker.encoder.plan_status) else {}),
            "encode_ms": counters.encode_ms,
            "decode_ms": counters.decode_ms,
            "driver_hz": 1 / period if period else 0.0,
            "embeddings": counters.embeddings,
            "messages": counters.messages,
            "empty": counters.empty,
            "dropped": worker.dropped,
            "skipped": counters.skipped,
            "lost_in_gaps": counters.gaps,
            "failures": worker.failures,
            "stamp_offset_s": counters.stamp_offset_s or 0.0,
            **({"stamp_fault": counters.stamp_fault} if counters.stamp_fault else {}),
        }

    def _judge(self, driver_present: bool, problem: str) -> tuple[SensorState, str]:
        recent = self._since_last_look()
        if problem:
            return SensorState.FAULTY, problem
        if not driver_present:
            return SensorState.LOST, "waits for its driver"
        if recent is not None:
            self._verdict = recent
        elif self._seen.messages and not self._worker.driver_alive:
            self._verdict = SensorState.STALE, "its driver is silent"
        return self._verdict

    def _since_last_look(self) -> tuple[SensorState, str] | None:
        """The state that the new counts show; None if there are none."""
        now, seen = replace(self._worker.encoder.counters), self._seen
        at, failures = monotonic(), self._worker.failures
        elapsed, self._seen_at = at - self._seen_at, at
        failed, self._seen_failures = failures > self._seen_failures, failures
        self._seen = now
        self._rate = (now.embeddings - seen.embeddings) / elapsed if elapsed > 0 else 0.0
        if now.embeddings > seen.embeddings:
            return SensorState.LIVE, ""
        if failed:
            return SensorState.FAULTY, self._worker.last_failure
        if now.rejected > seen.rejected:
            return SensorState.FAULTY, now.rejected_reason
        if now.empty > seen.empty:
            return SensorState.STALE, now.empty_reason
        if now.messages > seen.messages and not now.embeddings:
            return SensorState.STALE, "its first window is not full yet"
        return None
