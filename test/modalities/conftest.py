"""Message classes of both kinds."""

from message_fixtures import over_the_wire, types, vector

__all__ = ["over_the_wire", "types", "vector"]
