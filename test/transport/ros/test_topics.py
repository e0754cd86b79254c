"""The topics of the planner's contract in the ROS graph: how they are offered, and who subscribes."""

from __future__ import annotations

from pathlib import Path

from rclpy.duration import Duration
from rclpy.qos import DurabilityPolicy, LivelinessPolicy, ReliabilityPolicy
from ros_robot import Robot
from transport_support import wait_until

from omnibind_ros.transport.qos import SENSOR_DATA


def test_topics_are_offered_as_promised(robot: Robot) -> None:
    robot.encoder("offered")
    robot.wait_for_encoder("offered")
    latched = ("omnibind/labels", "omnibind/fused_embedding", "omnibind/offered/embedding")
    answers = ("omnibind/recognition", "omnibind/contributions")
    for topic in (*latched, *answers):
        (offer,) = wait_until(lambda topic=topic: robot.offered(topic), f"a publisher of {topic}")
        assert offer.reliability == ReliabilityPolicy.RELIABLE, topic
        assert (offer.durability == DurabilityPolicy.TRANSIENT_LOCAL) == (topic in latched), topic
        if topic in answers:
            assert offer.deadline == Duration(seconds=2 / 10)
        if topic.endswith("embedding"):
            assert offer.liveliness == LivelinessPolicy.AUTOMATIC
            assert offer.liveliness_lease_duration == Duration(seconds=0.3)


def test_the_wiring_is_in_the_graph_before_a_driver_is(robot: Robot) -> None:
    robot.encoder("wired")
    robot.wait_for_encoder("wired")

    def subscribes(node: str, topic: str, type_name: str) -> bool:
        """As `ros2 node info`."""
        return (topic, [type_name]) in robot.node.get_subscriber_names_and_types_by_node(node, "/")

    wait_until(lambda: subscribes("encoder_wired", "/wired/raw", "sensor_msgs/msg/Image"), "the encoder")
    embeddings = ("/omnibind/wired/embedding", "sensor_msgs/msg/PointCloud2")
    wait_until(lambda: subscribes("fusion", *embeddings), "fusion")


def test_quality_of_service_can_be_overridden(bundle: Path) -> None:
    given = {"qos_overrides./over/omnibind/recognition.publisher.reliability": "best_effort"}
    with Robot(bundle, "over", fusion=given) as robot:
        offers = wait_until(lambda: robot.offered("omnibind/recognition"), "a publisher")
        assert [offer.reliability for offer in offers] == [ReliabilityPolicy.BEST_EFFORT]
        # The publisher is made anew with another deadline, and remembers.
        assert robot.set("fusion", "rate_hz", "4.0") == ""
        half_second = Duration(seconds=0.5)
        new = lambda: [o for o in robot.offered("omnibind/recognition") if o.deadline == half_second]  # noqa: E731
        (offer,) = wait_until(new, "the new publisher")
        assert offer.reliability == ReliabilityPolicy.BEST_EFFORT
        heard = robot.hear("omnibind/recognition", "vision_msgs/msg/Classification", SENSOR_DATA)
        wait_until(lambda: heard, "it can be received")
