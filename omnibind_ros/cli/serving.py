"""How `omnibind encoder` and `omnibind fusion` run: until a signal, with diagnostics, changed on SIGHUP."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any, Protocol

from omnibind_ros.config.strict_yaml import StrictModel
from omnibind_ros.errors import OmniBindError
from omnibind_ros.messages.diagnostics import Report, reporter_name
from omnibind_ros.process.memory import freeze
from omnibind_ros.process.signals import stop_on_signals
from omnibind_ros.transport.diagnostics import Diagnostics
from omnibind_ros.transport.zenoh.node import Node
from omnibind_ros.transport.zenoh.session import Network

_log = logging.getLogger(__name__)


class Served(Protocol):
    """An `EncoderProcess` or a `FusionProcess`."""

    on_news: Callable[[], None]
    settings: Any
    CHANGEABLE: tuple[str, ...]

    @property
    def name(self) -> str: ...

    def start(self) -> None: ...

    def close(self) -> None: ...

    def apply(self, settings: Any) -> None: ...

    def reports(self) -> Sequence[Report]: ...


def serve(
    make: Callable[[Node], Sequence[Served]],
    node_name: str,
    namespace: str,
    domain: int | None,
    network: Network,
    settings_of: Callable[[Served], StrictModel],
) -> None:
    """Run encoders or fusion in this process until SIGTERM or Ctrl-C.

    Args:
        make: makes them for a transport.
        settings_of: reads the settings of one anew, on SIGHUP. What cannot be used is logged in one line and
            changes nothing.
    """
    with ExitStack() as closing:
        served: list[Served] = []
        stop = closing.enter_context(stop_on_signals(on_hangup=lambda: _reload(served, settings_of)))
        node = closing.enter_context(Node(node_name, namespace, domain, network))
        for process in make(node):
            closing.callback(process.close)
            diagnostics = Diagnostics(node, reporter_name(process.name, node.namespace), process.reports)
            closing.callback(diagnostics.close)
            process.on_news = diagnostics.soon
            process.start()
            served.append(process)
        freeze()
        stop.wait()


def _reload(served: Sequence[Served], settings_of: Callable[[Served], StrictModel]) -> None:
    for process in served:
        try:
            settings = settings_of(process)
            process.apply(settings)
        except OmniBindError as error:
            _log.error("%s: the settings stay as they are: %s", process.name, error)
            continue
        fixed = type(settings).model_fields.keys() - process.CHANGEABLE
        changed = sorted(key for key in fixed if getattr(settings, key) != getattr(process.settings, key))
        if changed:
            _log.warning("%s: restart it to change %s", process.name, ", ".join(changed))
