"""Fusion: every encoder's embeddings in, one recognition out, over any transport.

    omnibind/*/embedding -> LiveSet -> fusion step -> omnibind/recognition, omnibind/contributions, ...

All of it happens in the transport's callbacks: an embedding is answered in the callback that brings it. An
alarm is set anew each time to what is due next: a sensor that goes stale, or the slow rate.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial

from omnibind_ros.bundle.loading import Bundle
from omnibind_ros.config.settings import FusionSettings
from omnibind_ros.errors import BadMessage
from omnibind_ros.fusion.core import FusionCore
from omnibind_ros.fusion.publish_schedule import PublishSchedule
from omnibind_ros.messages import topics
from omnibind_ros.messages.cdr import deserialise
from omnibind_ros.messages.classification import encode_contributions, encode_health, encode_recognition
from omnibind_ros.messages.diagnostics import Level, Report, sensor_report
from omnibind_ros.messages.embedding_cloud import decode_embedding, encode_fused
from omnibind_ros.messages.label_info import encode_label_info
from omnibind_ros.process.throttled_log import ThrottledLog
from omnibind_ros.transport.protocol import Alarm, Offer, Publisher, Subscription, Transport, Watch
from omnibind_ros.transport.qos import EMBEDDING, LATCHED, Qos, recognition_qos, requested
from omnibind_ros.types import Recognition, SensorState, SensorStatus

_log = logging.getLogger(__name__)

_CLASSIFICATION, _CLOUD = "vision_msgs/msg/Classification", "sensor_msgs/msg/PointCloud2"

_HEALTH_EVERY = 1_000_000_000
"""ns between two messages of sensor health, unless a state changes."""

_SETTLING_S = 1.0
"""How long after its start fusion may take to find the encoders before it publishes that no sensor is
live."""


@dataclass
class _Encoder:
    """Encoders that publish under one sensor's name, and the subscription to them."""

    subscription: Subscription
    qos: Qos
    alive: int = 0


class FusionProcess:
    """Fuses the sensors that are live. It needs no list: a sensor whose embeddings are published takes part.

    Start, stop and change it from one thread.

    Args:
        steady: ns that never jump; when to publish.

    Attributes:
        settings: in force; `CHANGEABLE` ones may change while it runs.
        on_news: called when a sensor's state has changed; for diagnostics.

    Raises:
        OmniBindError: whatever is wrong with the settings or the bundle.
    """

    CHANGEABLE: tuple[str, ...] = (
        "rate_hz",
        "max_rate_hz",
        "top_k",
        "unknown_threshold",
        "muted_sensors",
        "freshness",
        "memory",
    )
    name = "fusion"

    def __init__(
        self,
        settings: FusionSettings,
        transport: Transport,
        steady: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self.settings = settings
        self.on_news: Callable[[], None] = lambda: None
        self._transport = transport
        self._steady = steady
        self._bundle = Bundle.load(settings.bundle)
        self._core = FusionCore.open(self._bundle, settings)
        self._schedule = PublishSchedule(settings.rate_hz, settings.max_rate_hz)
        self._encoders: dict[str, _Encoder] = {}
        self._rivals = 0
        self._recognitions = 0
        self._failures = 0
        self._step_ms = 0.0
        self._health_due = 0
        self._settled_at = 0
        self._log = ThrottledLog(_log)
        self._outlets: dict[str, Publisher] = {}
        self._watches: list[Watch] = []
        self._alarm: Alarm | None = None

    def start(self) -> None:
        """Begin to fuse.

        Raises:
            ConfigError: a message package is not installed.
        """
        with self._transport.exclusive():
            self._settled_at = self._steady() + round(_SETTLING_S * 1e9)
            self._advertise(topics.LABELS, "vision_msgs/msg/LabelInfo", LATCHED)
            self._advertise(topics.FUSED_EMBEDDING, _CLOUD, EMBEDDING)
            self._advertise(topics.HEALTH, _CLASSIFICATION, LATCHED)
            self._advertise_answers()
            self._outlets[topics.LABELS].publish(self._label_info())
            self._alarm = self._transport.alarm(self._step)
            self._watches = [
                self._transport.watch(topics.embedding_topic("*"), self._on_encoders),
                self._transport.watch(topics.RECOGNITION, self._on_fusions),
            ]
            self._step()

    def stop(self) -> None:
        """Fuse no more: all encoders count as gone. Idempotent."""
        with self._transport.exclusive():
            if self._alarm is not None:
                self._alarm.close()
                self._alarm = None
            for watch in self._watches:
                watch.close()
            self._watches = []
            for sensor in list(self._encoders):
                self._forget(sensor)
            while self._outlets:
                self._outlets.popitem()[1].close()

    def close(self) -> None:
        """Stop."""
        self.stop()

    def apply(self, settings: FusionSettings) -> None:
        """Take over the changeable ones of other settings."""
        changed = {key: getattr(settings, key) for key in self.CHANGEABLE}
        with self._transport.exclusive():
            before, settings = self.settings, self.settings.model_copy(update=changed)
            self.settings = settings
            self._core.apply(settings)
            self._schedule.set_rates(settings.rate_hz, settings.max_rate_hz)
            self._schedule.changed()
            if not self._outlets:
                return
            if settings.rate_hz != before.rate_hz:
                self._advertise_answers()
            if settings.unknown_threshold != before.unknown_threshold:
                self._outlets[topics.LABELS].publish(self._label_info())
            self._step()

    def clock_jumped(self) -> None:
        """The clock was set: what was received no longer counts."""
        with self._transport.exclusive():
            self._core.reset(self._transport.now())
            self._schedule.changed()

    def reports(self) -> list[Report]:
        """One of fusion and one of each sensor, for diagnostics."""
        with self._transport.exclusive():
            statuses = self._core.statuses(self._transport.now())
            return [self._own_report(statuses), *map(self._report_on, statuses)]

    # What arrives, in the transport's callbacks

    def _on_encoders(self, topic: str, offers: tuple[Offer, ...], alive: int) -> None:
        sensor = topics.sensor_of_embedding_topic(topic)
        if sensor is None:
            return
        foreign = {offer.type_name for offer in offers} - {_CLOUD}
        if foreign:
            reason = f"{topic} carries {', '.join(sorted(foreign))}, not {_CLOUD}"
            self._core.live_set.reject(sensor, reason, self._transport.now())
        usable = [offer.qos for offer in offers if offer.type_name == _CLOUD]
        if usable:
            self._follow(sensor, requested(usable, depth=1), alive)
        elif sensor in self._encoders:
            self._forget(sensor)
        self._step()

    def _follow(self, sensor: str, qos: Qos, alive: int) -> None:
        """Subscribe to a sensor's embeddings as its encoders offer them; `alive`: how many encoders run."""
        known = self._encoders.get(sensor)
        if known is not None and known.qos != qos:
            known.subscription.close()
            known = None
        if known is None:
            subscription = self._transport.subscribe_cdr(
                topics.embedding_topic(sensor), _CLOUD, partial(self._on_embedding, sensor), qos
            )
            known = self._encoders[sensor] = _Encoder(subscription, qos)
        if known.alive == alive:
            return
        known.alive = alive
        if alive:
            self._core.live_set.appear(sensor, "", self._transport.now())
        else:
            self._core.live_set.leave(sensor, self._transport.now())
        self.on_news()

    def _forget(self, sensor: str) -> None:
        """A sensor's encoders are gone."""
        self._encoders.pop(sensor).subscription.close()
        self._core.live_set.leave(sensor, self._transport.now())
        self.on_news()

    def _on_embedding(self, sensor: str, payload: bytes, lost: int) -> None:
        with self._surviving():
            self._take(sensor, payload, self._transport.now())
        self._step()

    def _take(self, sensor: str, payload: bytes, now: int) -> None:
        try:
            message = deserialise(payload, _CLOUD)
            embedding = decode_embedding(message, sensor)
        except BadMessage as error:
            self._log.warning(sensor, str(error))
            self._core.live_set.reject(sensor, str(error), now)
            return
        if embedding is None:
            modality = message.fields[0].name if message.fields else ""
            self._core.live_set.withdraw(sensor, now, modality)
        elif self._core.update(embedding, now):
            self._schedule.news()

    def _on_fusions(self, topic: str, offers: tuple[Offer, ...], alive: int) -> None:
        rivals = max(0, len(offers) - 1)
        if rivals > self._rivals:
            _log.warning("%s", _rivalry(topic, rivals))
        if rivals != self._rivals:
            self._rivals = rivals
            self.on_news()

    # What is due

    def _step(self) -> None:
        """Publish the answer, if one is due, and set the alarm to when the next will be."""
        if self._alarm is None:
            return
        with self._surviving():
            self._note_changes()
            if self._schedule.is_due(self._steady()):
                self._answer()
        self._alarm.set(self._patience_s())

    def _note_changes(self) -> None:
        changes = self._core.live_set.advance(self._transport.now())
        for change in changes:
            _log.info("%s is %s: %s", change.sensor, change.after.value, change.reason)
            self._schedule.changed()
        if changes:
            self._health_due = 0
            self.on_news()

    def _answer(self) -> None:
        begun = self._steady()
        recognition = self._core.step(self._transport.now())
        if not recognition.labels and begun < self._settled_at:
            return  # encoders may be running that are not found yet
        self._settled_at = 0
        self._schedule.published(begun)
        self._step_ms += ((self._steady() - begun) / 1e6 - self._step_ms) / 16
        self._recognitions += 1
        self._publish(recognition)
        self._publish_health(begun)

    def _publish(self, recognition: Recognition) -> None:
        frame_id = self.settings.frame_id
        # Each message is made when it is sent: only the answer is urgent.
        self._outlets[topics.RECOGNITION].publish(encode_recognition(recognition, frame_id))
        self._outlets[topics.CONTRIBUTIONS].publish(encode_contributions(recognition, frame_id))
        self._outlets[topics.FUSED_EMBEDDING].publish(
            encode_fused(recognition, self._bundle.space.tag, frame_id)
        )

    def _publish_health(self, steady: int) -> None:
        if steady < self._health_due:
            return
        self._health_due = steady + _HEALTH_EVERY
        now = self._transport.now()
        health = encode_health(self._core.statuses(now), now, self.settings.frame_id)
        self._outlets[topics.HEALTH].publish(health)

    def _patience_s(self) -> float:
        """Seconds until something is due if nothing arrives."""
        steady, now = self._steady(), self._transport.now()
        wait = max(self._schedule.due_at(steady), self._settled_at) - steady
        expiry = self._core.live_set.next_expiry(now)
        if expiry is not None:
            wait = min(wait, expiry - now)
        return max(0, wait) / 1e9

    # Topics

    def _advertise(self, topic: str, type_name: str, qos: Qos) -> None:
        if topic in self._outlets:
            self._outlets.pop(topic).close()
        self._outlets[topic] = self._transport.publisher(topic, type_name, qos)

    def _advertise_answers(self) -> None:
        """The two topics whose deadline follows the rate."""
        for topic in (topics.RECOGNITION, topics.CONTRIBUTIONS):
            self._advertise(topic, _CLASSIFICATION, recognition_qos(self.settings.rate_hz))

    def _label_info(self) -> object:
        return encode_label_info(
            self._core.labels.names,
            self._core.unknown_threshold,
            self._transport.now(),
            self.settings.frame_id,
        )

    # Diagnostics

    def _report_on(self, status: SensorStatus) -> Report:
        encoder = self._encoders.get(status.sensor)
        count, counts = (encoder.alive, encoder.subscription.counts) if encoder else (0, None)
        values = {
            "health": status.health,
            "encoders": count,
            "lost": counts.lost if counts else 0,
            "malformed": counts.malformed if counts else 0,
        }
        report = sensor_report(status, values)
        if count < 2:
            return report
        warning = f"{report.message}; {count} encoders publish under this name: give each its own"
        return replace(report, message=warning, level=Level.WARN)

    def _own_report(self, statuses: Sequence[SensorStatus]) -> Report:
        live = [status.sensor for status in statuses if status.state is SensorState.LIVE]
        message = f"live: {', '.join(live)}" if live else "no live sensor"
        dispute = self._core.dispute
        if dispute:
            message = f"{message}; {dispute}, and it is open which are right"
        if self._rivals:
            message = f"{message}; {_rivalry(topics.RECOGNITION, self._rivals)}"
        return Report(
            "recognition",
            Level.OK if live and not self._rivals and not dispute else Level.WARN,
            message,
            {
                "bundle": self._bundle.name,
                "space": self._bundle.space.id,
                "live": len(live),
                "known": len(statuses),
                "dispute": dispute,
                "recognitions": self._recognitions,
                "step_ms": self._step_ms,
                "failures": self._failures,
            },
        )

    @contextmanager
    def _surviving(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # whatever it was, the next message deserves a living process
            self._failures += 1
            self._log.warning("failure", f"fusion: {type(error).__name__}: {error}", exc_info=True)


def _rivalry(topic: str, rivals: int) -> str:
    return (
        f"{rivals + 1} processes publish {topic}, and their answers alternate: run one fusion a namespace "
        "(a killed process may be listed for 10 s)"
    )
