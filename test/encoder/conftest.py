"""The tiny bundle, and machines with a pretended GPU."""

from tiny_models import any_robot, bundle_folder, robot, tiny

__all__ = ["any_robot", "bundle_folder", "robot", "tiny"]
