"""Alias of `omnibind_ros.transport.zenoh`."""

from omnibind_ros.transport.zenoh.node import Node

__all__ = ["Node"]
