"""An encoder process that cannot start leaves nothing behind, and starts once the cause is gone."""

from __future__ import annotations

import threading

import pytest
from transport_support import free_port, wait_until

from omnibind_ros.config.settings import EncoderSettings
from omnibind_ros.encoder.process import EncoderProcess
from omnibind_ros.errors import ConfigError
from omnibind_ros.transport.protocol import OnOffers
from omnibind_ros.transport.zenoh.graph_watch import GraphWatch
from omnibind_ros.transport.zenoh.node import Node
from omnibind_ros.transport.zenoh.session import Network


class RefusingNode(Node):
    refuses = True

    def watch(self, pattern: str, on_offers: OnOffers) -> GraphWatch:
        if self.refuses:
            raise ConfigError("no watch")
        return super().watch(pattern, on_offers)


def test_a_start_that_fails_half_way_leaves_nothing() -> None:
    network = Network(f"tcp/127.0.0.1:{free_port()}")
    published: list[int] = []
    with RefusingNode("encoder_skin", network=network) as node, Node("witness", network=network) as witness:
        witness.watch("omnibind/*/embedding", lambda topic, offers, alive: published.append(alive))
        encoder = EncoderProcess(
            EncoderSettings(sensor="skin", modality="touch", topic="skin/image_raw"), node
        )
        before = {thread.name for thread in threading.enumerate()}
        with pytest.raises(ConfigError, match="no watch"):
            encoder.start()
        wait_until(lambda: {thread.name for thread in threading.enumerate()} <= before, "its threads end")
        assert encoder.reports() == []
        encoder.stop()

        node.refuses = False
        encoder.start()
        wait_until(lambda: published[-1:] == [1], "one publisher of embeddings")
        assert len(encoder.reports()) == 1
        encoder.close()
        wait_until(lambda: published[-1:] == [0], "no publisher of embeddings")
