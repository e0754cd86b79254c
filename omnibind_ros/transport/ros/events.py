"""Events of subscriptions, where the middleware has them: how many publishers are alive, and what was lost.

Humble keeps them in another module than later distributions. rmw_zenoh has no liveliness event; its graph is
up to date by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rclpy.node import Node
from rclpy.qos import QoSProfile
from rclpy.subscription import Subscription

try:
    from rclpy.event_handler import (
        PublisherEventCallbacks,
        SubscriptionEventCallbacks,
        UnsupportedEventTypeError,
    )
except ImportError:  # Humble
    from rclpy.qos_event import (
        PublisherEventCallbacks,
        SubscriptionEventCallbacks,
        UnsupportedEventTypeError,
    )

NO_EVENTS = PublisherEventCallbacks(use_default_callbacks=False)
"""For publishers. An executor pays for every event each time it waits, and a subscriber that requests more
than is offered is told so by its own node."""


def subscribe(
    node: Node,
    message_class: Any,
    topic: str,
    on_message: Callable[[bytes], None],
    qos: QoSProfile,
    *,
    on_alive: Callable[[int], None] | None = None,
    on_lost: Callable[[int], None] | None = None,
) -> Subscription:
    """A subscription to serialised messages, with as many of these events as the middleware has.

    Args:
        on_message: called with CDR.
        on_alive: called with the number of publishers that are alive, whenever it changes.
        on_lost: called with the number of messages lost since the last call.
    """
    alive = None if on_alive is None else _with(on_alive, "alive_count")
    lost = None if on_lost is None else _with(on_lost, "total_count_change")
    choices: list[dict[str, Any]] = [
        {"liveliness": alive, "message_lost": lost},
        {"liveliness": alive},
        {"message_lost": lost},
        {},
    ]
    for choice in choices:
        try:
            return node.create_subscription(
                message_class,
                topic,
                on_message,
                qos,
                event_callbacks=SubscriptionEventCallbacks(**choice, use_default_callbacks=False),
                raw=True,
            )
        except UnsupportedEventTypeError:
            continue
    raise AssertionError("a subscription without events is always possible")


def _with(tell: Callable[[int], None], count: str) -> Callable[[Any], None]:
    return lambda event: tell(getattr(event, count))
