"""A network of its own for each test."""

from zenoh_fixtures import router_port, spawn

__all__ = ["router_port", "spawn"]
