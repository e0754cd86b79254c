"""What tests of messages share."""

from message_fixtures import over_the_wire, vector

__all__ = ["over_the_wire", "vector"]
