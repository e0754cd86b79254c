"""A robot whose fusion and encoders run in the test's process, each on a node of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

import robot
from graphs import Graph

from omnibind_ros.config.settings import EncoderSettings, FusionSettings
from omnibind_ros.encoder.process import EncoderProcess
from omnibind_ros.fusion.process import FusionProcess
from omnibind_ros.messages.diagnostics import reporter_name
from omnibind_ros.transport.diagnostics import Diagnostics
from omnibind_ros.transport.protocol import Transport

P = TypeVar("P", EncoderProcess, FusionProcess)


class LocalRobot(robot.Robot):
    """Fusion, and whatever a test adds to it."""

    def __init__(self, graph: Graph, bundle: Path, namespace: str = "/") -> None:
        super().__init__(graph.node("test", namespace))
        self.bundle = bundle
        self.graph = graph
        self.fusion = self.another_fusion()

    def another_fusion(self, **settings: Any) -> FusionProcess:
        given = FusionSettings.model_validate({"bundle": str(self.bundle), **settings})
        node = self.graph.node("fusion", self.transport.namespace)
        return self._run(FusionProcess(given, node), node)

    def encoder(self, sensor: str, modality: str = "image", **settings: Any) -> EncoderProcess:
        """Its driver's topic is `<sensor>/raw`."""
        own = {"sensor": sensor, "modality": modality, "topic": f"{sensor}/raw", "bundle": str(self.bundle)}
        given = EncoderSettings.model_validate({**own, **settings})
        node = self.graph.node(f"encoder_{sensor}", self.transport.namespace)
        return self._run(EncoderProcess(given, node), node)

    def _run(self, process: P, node: Transport) -> P:
        diagnostics = Diagnostics(node, reporter_name(process.name, node.namespace), process.reports)
        process.on_news = diagnostics.soon
        process.start()
        self.graph.at_close(process.close)
        self.graph.at_close(diagnostics.close)
        return process
