"""The settings of a node as its parameters: declared, described, validated, changed at run time.

The settings class validates. Parameters have the types of their settings; values are converted to them where
nothing is lost (`rate_hz 5`, and `muted_sensors []`, which has no type in ROS 2).

A start value that rclpy cannot store (`rate_hz:=5000`) does not end the node: the parameter is declared with
its default, and `read` raises an error about the start value until the parameter is set.
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
from rclpy.exceptions import InvalidParameterValueException
from rclpy.node import Node
from rclpy.parameter import Parameter

from omnibind_ros.config.parameters import ParameterError, Setting, Settings, from_parameters, settings_of

M = TypeVar("M", bound=Settings)

_TYPES = {
    bool: Parameter.Type.BOOL,
    int: Parameter.Type.INTEGER,
    float: Parameter.Type.DOUBLE,
    str: Parameter.Type.STRING,
    dict: Parameter.Type.STRING,
    tuple: Parameter.Type.STRING_ARRAY,
}

_STATIC = hasattr(Node, "add_pre_set_parameters_callback")
"""Humble has no callback that could convert a value before its type is checked: types stay dynamic there."""

_LARGEST = 2**63 - 1


class SettingsParameters(Generic[M]):
    """Declares the parameters of a settings class on a node.

    Args:
        at_any_time: names, or prefixes of names, that may change while the node is configured; all others are
            read-only then.
        fixed: names that never change.
        defaults: replace defaults of the class.
        apply: called with the new settings when they change while the node is configured.
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
        self._settings = {setting.name: setting for setting in settings_of(model)}
        self._unusable: dict[str, Any] = {}
        """start values that could not be stored"""
        self.configured = False
        """set by the node"""
        for setting in self._settings.values():
            self._declare(setting, (defaults or {}).get(setting.name, setting.default), setting.name in fixed)
        if _STATIC:
            node.add_pre_set_parameters_callback(self._before_set)
        node.add_on_set_parameters_callback(self._on_set)

    def read(self) -> M:
        """The present settings.

        Raises:
            ParameterError: one line that names the parameter.
        """
        return self._with({})

    def _with(self, changed: dict[str, Any]) -> M:
        values = {name: self._node.get_parameter(name).value for name in self._settings}
        return from_parameters(self._model, {**values, **self._unusable, **changed})

    def _declare(self, setting: Setting, default: Any, fixed: bool) -> None:
        given = self._start_value(setting.name, default)
        if not self._declare_as(setting, setting.convert(given), fixed):
            self._unusable[setting.name] = given
            self._declare_as(setting, default, fixed)

    def _start_value(self, name: str, default: Any) -> Any:
        """The value from the command line or a parameter file, of any type; None for an empty list."""
        given = self._node.declare_parameter(
            name, _ros_value(default), ParameterDescriptor(dynamic_typing=True)
        ).value
        self._node.undeclare_parameter(name)
        return given

    def _declare_as(self, setting: Setting, value: Any, fixed: bool) -> bool:
        """Declare a parameter with a value; False if it is of another type or out of range."""
        descriptor = _descriptor(setting, fixed, self._changes_at_any_time(setting.name))
        type_, value = _TYPES[setting.kind], _ros_value(value)
        if value == []:  # which rclpy would take for an array of bytes
            initial = type_ if _STATIC else ""
            self._node.declare_parameter(setting.name, initial, descriptor, ignore_override=True)
            self._node.set_parameters([Parameter(setting.name, type_, value)])
            return True
        if Parameter.Type.from_parameter_value(value) is not type_:
            return False
        try:
            self._node.declare_parameter(setting.name, value, descriptor, ignore_override=True)
        except InvalidParameterValueException:
            return False
        return True

    def _before_set(self, parameters: list[Parameter]) -> list[Parameter]:
        return [self._converted(parameter) for parameter in parameters]

    def _converted(self, parameter: Parameter) -> Parameter:
        """The parameter in its own type; unchanged if it cannot be converted, which rclpy then refuses."""
        setting = self._settings.get(parameter.name)
        if setting is None or parameter.value is None:
            return parameter
        value, type_ = setting.convert(parameter.value), _TYPES[setting.kind]
        if type(value) is type(parameter.value) or not type_.check(_ros_value(value)):
            return parameter
        return Parameter(parameter.name, type_, _ros_value(value))

    def _on_set(self, parameters: list[Parameter]) -> SetParametersResult:
        changed = {p.name: p.value for p in parameters if p.name in self._settings}
        if not changed:
            return SetParametersResult(successful=True)
        for name, value in changed.items():
            if value is None:
                return _refusal(f"{name} cannot be deleted")
            if self.configured and not self._changes_at_any_time(name):
                node = self._node.get_fully_qualified_name()
                return _refusal(
                    f"'{name}' is read-only while configured; run first: ros2 lifecycle set {node} cleanup"
                )
        try:
            settings = self._with(changed)
            if self.configured:
                self._apply(settings)
        except ParameterError as error:
            # Before the node is configured, other parameters may still be wrong and are corrected one by one.
            about_changed = any(f"{error.name}.".startswith(f"{name}.") for name in changed)
            if self.configured or about_changed or not error.name:
                return _refusal(str(error))
        for name in changed:
            self._unusable.pop(name, None)
        return SetParametersResult(successful=True)

    def _changes_at_any_time(self, name: str) -> bool:
        return name.startswith(self._at_any_time)


def _ros_value(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _refusal(reason: str) -> SetParametersResult:
    return SetParametersResult(successful=False, reason=reason)


def _descriptor(setting: Setting, fixed: bool, at_any_time: bool) -> ParameterDescriptor:
    descriptor = ParameterDescriptor(
        name=setting.name, description=setting.description, read_only=fixed, dynamic_typing=not _STATIC
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
