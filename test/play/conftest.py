"""A network of its own for each test."""

from zenoh_fixtures import hub_port, spawn

__all__ = ["hub_port", "spawn"]
