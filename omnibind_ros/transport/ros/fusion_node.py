"""`ros2 run omnibind_ros fusion_node`: every encoder's embeddings in, one recognition out, whoever is there.

    EmbeddingFeed -> FusionRuntime -> omnibind/recognition, omnibind/contributions, omnibind/fused_embedding

All of it on one thread: an embedding that arrives is answered in the callback that brings it. A timer of the
steady clock is set anew each time to what will be due next: a sensor that goes stale, or the slow rate.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rclpy.clock import JumpThreshold
from rclpy.duration import Duration
from rclpy.publisher import Publisher
from rclpy.timer import Timer

from omnibind_ros.config.settings import FusionSettings
from omnibind_ros.fusion.runtime import FusionRuntime
from omnibind_ros.messages import topics
from omnibind_ros.messages.diagnostics import Report
from omnibind_ros.transport.ros.embedding_feed import EmbeddingFeed
from omnibind_ros.transport.ros.events import NO_EVENTS
from omnibind_ros.transport.ros.parameters import SettingsParameters
from omnibind_ros.transport.ros.qos import OVERRIDABLE, embedding_qos, latched_qos, recognition_qos
from omnibind_ros.transport.ros.robot_node import RobotNode
from omnibind_ros.transport.ros.spin import spin
from omnibind_ros.transport.ros.types import TYPES

_CLASSIFICATION = "vision_msgs/msg/Classification"
_SHORTEST_WAIT_NS = 100_000

AT_ANY_TIME = ("rate_hz", "max_rate_hz", "top_k", "unknown_threshold", "muted_sensors", "freshness.")


class FusionNode(RobotNode):
    """Needs no list of sensors: who publishes an embedding in its namespace takes part."""

    def __init__(self, name: str = "fusion", **options: Any) -> None:
        self._fusion: FusionRuntime | None = None
        self._feed: EmbeddingFeed | None = None
        self._alarm: Timer | None = None
        self._outlets: dict[str, Publisher] = {}
        super().__init__(name, hardware="none", **options)
        self._settings = SettingsParameters(self, FusionSettings, at_any_time=AT_ANY_TIME, apply=self._apply)
        self._jumps = self.get_clock().create_jump_callback(
            JumpThreshold(min_forward=None, min_backward=Duration(seconds=-0.1), on_clock_change=True),
            post_callback=self._on_clock_jump,
        )

    @property
    def subject(self) -> str:
        return "recognition"

    def configure(self) -> None:
        self._fusion = FusionRuntime(self._settings.read(), TYPES, self.now)
        self._settings.configured = True

    def activate(self) -> None:
        assert self._fusion is not None
        self._publish_on(topics.LABELS, "vision_msgs/msg/LabelInfo", latched_qos())
        self._publish_on(topics.FUSED_EMBEDDING, "sensor_msgs/msg/PointCloud2", embedding_qos())
        self._publish_answers()
        self._outlets[topics.LABELS].publish(self._fusion.label_info())
        self._alarm = self.create_timer(1.0, self._step, clock=self.steady)
        self._feed = EmbeddingFeed(self, self.steady, self._hear, self._count_encoders, self._fusion.refuse)
        self._step()

    def deactivate(self) -> None:
        if self._feed is not None:
            self._feed.close()
            self._feed = None
        if self._alarm is not None:
            self.destroy_timer(self._alarm)
            self._alarm = None
        if self._fusion is not None:
            self._fusion.part()
        while self._outlets:
            self.destroy_publisher(self._outlets.popitem()[1])

    def cleanup(self) -> None:
        self._fusion = None
        self._settings.configured = False

    def reports(self) -> Iterable[Report]:
        assert self._fusion is not None
        return self._fusion.reports()

    # What arrives

    def _hear(self, sensor: str, message: Any) -> None:
        if self._fusion is not None:
            self._fusion.hear(sensor, message)
            self._step()

    def _count_encoders(self, sensor: str, count: int) -> None:
        if self._fusion is not None:
            self._fusion.count_encoders(sensor, count)
            self._step()

    def _on_clock_jump(self, jump: Any) -> None:
        if self._fusion is not None:
            self.get_logger().warning("the clock jumped: every sensor starts afresh")
            self._fusion.clock_jumped()

    def _apply(self, settings: FusionSettings) -> None:
        assert self._fusion is not None
        before = self._fusion.settings
        self._fusion.apply(settings)
        if not self._outlets:
            return
        if settings.rate_hz != before.rate_hz:
            self._publish_answers()
        if settings.unknown_threshold != before.unknown_threshold:
            self._outlets[topics.LABELS].publish(self._fusion.label_info())
        self._step()

    # Out

    def _step(self) -> None:
        assert self._fusion is not None
        outputs = self._fusion.step()
        if self._alarm is None:
            return
        if outputs is not None:
            self._outlets[topics.RECOGNITION].publish(outputs.recognition())
            self._outlets[topics.CONTRIBUTIONS].publish(outputs.contributions())
            self._outlets[topics.FUSED_EMBEDDING].publish(outputs.fused())
        if self._fusion.take_news():
            self.tell_news()
        self._alarm.timer_period_ns = max(_SHORTEST_WAIT_NS, round(self._fusion.patience_s() * 1e9))
        self._alarm.reset()

    def _publish_answers(self) -> None:
        """The two topics whose deadline follows the rate."""
        assert self._fusion is not None
        for topic in (topics.RECOGNITION, topics.CONTRIBUTIONS):
            self._publish_on(topic, _CLASSIFICATION, recognition_qos(self._fusion.settings.rate_hz))

    def _publish_on(self, topic: str, type_name: str, qos: Any) -> None:
        if topic in self._outlets:
            self.destroy_publisher(self._outlets.pop(topic))
        self._outlets[topic] = self.create_publisher(
            TYPES[type_name], topic, qos, event_callbacks=NO_EVENTS, qos_overriding_options=OVERRIDABLE
        )


def main() -> None:
    """The executable."""
    spin(FusionNode)


if __name__ == "__main__":
    main()
