"""What both nodes are: lifecycle nodes that start by themselves, report why they cannot, and leave in order.

    unconfigured --configure--> inactive --activate--> active
                 <--cleanup---           <--deactivate-

Autostart and diagnostics run on the steady clock: with `use_sim_time` and no /clock, ROS timers stand still.
"""

from __future__ import annotations

import traceback
from abc import abstractmethod
from collections.abc import Callable, Iterable
from typing import Any

from rcl_interfaces.msg import ParameterDescriptor
from rclpy.lifecycle import LifecycleNode, TransitionCallbackReturn

from omnibind_ros.errors import OmniBindError
from omnibind_ros.messages.diagnostics import Level, Report, reporter_name
from omnibind_ros.process.memory import freeze
from omnibind_ros.transport.diagnostics import Diagnostics
from omnibind_ros.transport.ros.transport import RosTransport

_UNCONFIGURED, _INACTIVE, _ACTIVE = "unconfigured", "inactive", "active"


class RobotNode(LifecycleNode):  # type: ignore[misc]
    """A node with the parameter `autostart`; `configure`, `activate`, `deactivate`, `cleanup` are its own.

    What they raise is logged, shown in diagnostics, and makes the transition fail; the node stays.
    Autostart is carried out by the node itself: launch files cannot in every distribution, nor after a
    respawn.
    """

    def __init__(self, name: str, **options: Any) -> None:
        super().__init__(name, **options)
        self.transport = RosTransport(self)
        self.state = _UNCONFIGURED
        self._trouble = ""
        autostart = self.declare_parameter(
            "autostart",
            True,
            ParameterDescriptor(
                description="configure and activate without being told, also after a respawn", read_only=True
            ),
        )
        reporter = reporter_name(self.get_name(), self.get_namespace())
        self._diagnostics = Diagnostics(self.transport, reporter, self._report)
        self._starter = self.transport.alarm(self._autostart)
        if autostart.value:
            self._starter.set(0)

    @abstractmethod
    def configure(self) -> None:
        """Load what is needed. After a failure `cleanup` is called."""

    @abstractmethod
    def activate(self) -> None:
        """Begin to subscribe and publish. After a failure `deactivate` is called."""

    @abstractmethod
    def deactivate(self) -> None:
        """Stop that, whatever was begun of it."""

    @abstractmethod
    def cleanup(self) -> None:
        """Free everything, whatever was loaded of it."""

    @abstractmethod
    def reports(self) -> Iterable[Report]:
        """The diagnostics while the node is active."""

    @property
    @abstractmethod
    def subject(self) -> str:
        """What the diagnostics are about while the node is not active."""

    def report_soon(self) -> None:
        """Publish diagnostics out of turn. From any thread."""
        self._diagnostics.soon()

    def close(self) -> None:
        """Deactivate and clean up: others learn of the end from the node and not from its silence."""
        if self.state == _ACTIVE:
            self.deactivate()
        self.cleanup()
        self.state = _UNCONFIGURED

    # Transitions, called by rclpy, which would swallow what they raise

    def on_configure(self, state: Any) -> TransitionCallbackReturn:
        return self._attempt("configure", self.configure, self.cleanup, _INACTIVE)

    def on_activate(self, state: Any) -> TransitionCallbackReturn:
        return self._attempt("activate", self.activate, self.deactivate, _ACTIVE)

    def on_deactivate(self, state: Any) -> TransitionCallbackReturn:
        return self._attempt("deactivate", self.deactivate, None, _INACTIVE)

    def on_cleanup(self, state: Any) -> TransitionCallbackReturn:
        return self._attempt("cleanup", self.cleanup, None, _UNCONFIGURED)

    def on_shutdown(self, state: Any) -> TransitionCallbackReturn:
        return self._attempt("shutdown", self.close, None, "finalized")

    def on_error(self, state: Any) -> TransitionCallbackReturn:
        return self._attempt("recover", self.close, None, _UNCONFIGURED)

    def _attempt(
        self, what: str, work: Callable[[], None], undo: Callable[[], None] | None, then: str
    ) -> TransitionCallbackReturn:
        try:
            work()
        except Exception as error:
            if isinstance(error, OmniBindError):
                self._trouble = f"cannot {what}: {error}"
                self.get_logger().error(self._trouble)
            else:
                self._trouble = f"cannot {what}: {type(error).__name__}: {error}"
                self.get_logger().error(f"{self._trouble}\n{traceback.format_exc()}")
            if undo is not None:
                undo()
            self.report_soon()
            return TransitionCallbackReturn.FAILURE
        self.state, self._trouble = then, ""
        if then == _ACTIVE:
            freeze()
        self.report_soon()
        return TransitionCallbackReturn.SUCCESS

    def _autostart(self) -> None:
        if self.state != _UNCONFIGURED:
            return  # a transition was requested meanwhile
        if self.trigger_configure() == TransitionCallbackReturn.SUCCESS:
            self.trigger_activate()

    def _report(self) -> Iterable[Report]:
        if self._trouble:
            return [Report(self.subject, Level.ERROR, self._trouble, {"lifecycle": self.state})]
        if self.state != _ACTIVE:
            return [Report(self.subject, Level.WARN, f"the node is {self.state}", {"lifecycle": self.state})]
        if self.transport.now() == 0:
            waits = "use_sim_time is set, and nothing publishes /clock"
            return [Report(self.subject, Level.STALE, waits, {"lifecycle": self.state})]
        return self.reports()
