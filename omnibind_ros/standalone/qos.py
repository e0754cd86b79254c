"""Alias of `omnibind_ros.transport.qos`."""

from omnibind_ros.transport.qos import Qos

__all__ = ["Qos"]
