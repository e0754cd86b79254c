"""The settings of a node as its parameters: declared, described, refused with a reason, changed at run time.

All types are dynamic: rclpy itself would refuse `rate_hz 5` (an integer) and `muted_sensors "[]"` (an empty
list has no type). Validation is that of the settings class.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, Generic, TypeVar

from rcl_interfaces.msg import (
    FloatingPointRange,
    IntegerRange,
    ParameterDescriptor,
    SetParametersResult,
)
from rclpy.node import Node
from rclpy.parameter import Parameter

from omnibind_ros.config.parameters import ParameterError, Setting, from_parameters, settings_of
from omnibind_ros.config.strict_yaml import StrictModel

M = TypeVar("M", bound=StrictModel)

_LARGEST = 2**31 - 1


class SettingsParameters(Generic[M]):
    """Declares the parameters of a settings class on a node.

    Args:
        at_any_time: names, or beginnings of names, that may change while the node is configured; the others
            only before that.
        fixed: names that never change.
        defaults: in place of those of the class.
        apply: what to do with settings that were changed while the node is configured.
    """

    def __init__(
        self,
        node: Node,
        model: type[M],
        *,
        at_any_time: Collection[str],
        fixed: Collection[str] = (),
        defaults: dict[str, Any] | None = None,
        apply: Callable[[M], None],
    ) -> None:
        self._node = node
        self._model = model
        self._at_any_time = tuple(at_any_time)
        self._apply = apply
        self._names = [setting.name for setting in settings_of(model)]
        self.configured = False
        """set by the node: from now on most parameters hold still"""
        for setting in settings_of(model):
            default = (defaults or {}).get(setting.name, setting.default)
            node.declare_parameter(
                setting.name,
                list(default) if isinstance(default, tuple) else default,
                _descriptor(setting, setting.name in fixed, self._changes_at_any_time(setting.name)),
            )
        node.add_on_set_parameters_callback(self._on_set)

    def read(self) -> M:
        """The settings now.

        Raises:
            ParameterError: one line that names the parameter.
        """
        return self._with({})

    def _with(self, changed: dict[str, Any]) -> M:
        values = {name: self._node.get_parameter(name).value for name in self._names}
        return from_parameters(self._model, {**values, **changed})

    def _on_set(self, parameters: list[Parameter]) -> SetParametersResult:
        changed = {p.name: p.value for p in parameters if p.name in self._names}
        if not changed:
            return SetParametersResult(successful=True)
        for name in changed:
            if self.configured and not self._changes_at_any_time(name):
                node = self._node.get_fully_qualified_name()
                return _refusal(f"{name} can change only before: ros2 lifecycle set {node} cleanup")
        try:
            settings = self._with(changed)
            if self.configured:
                self._apply(settings)
        except ParameterError as error:
            # Before it is configured other parameters may still be wrong, and are set right one by one.
            if self.configured or error.name in changed or not error.name:
                return _refusal(str(error))
        return SetParametersResult(successful=True)

    def _changes_at_any_time(self, name: str) -> bool:
        return name.startswith(self._at_any_time)


def _refusal(reason: str) -> SetParametersResult:
    return SetParametersResult(successful=False, reason=reason)


def _descriptor(setting: Setting, fixed: bool, at_any_time: bool) -> ParameterDescriptor:
    descriptor = ParameterDescriptor(
        name=setting.name, description=setting.description, read_only=fixed, dynamic_typing=True
    )
    if not fixed:
        descriptor.additional_constraints = "at any time" if at_any_time else "before the node is configured"
    if setting.minimum is None:
        return descriptor
    if setting.kind is int:
        most = _LARGEST if setting.maximum is None else int(setting.maximum)
        descriptor.integer_range = [IntegerRange(from_value=int(setting.minimum), to_value=most, step=1)]
    else:
        most_float = float("inf") if setting.maximum is None else setting.maximum
        descriptor.floating_point_range = [
            FloatingPointRange(from_value=setting.minimum, to_value=most_float, step=0.0)
        ]
    return descriptor
