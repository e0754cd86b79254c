"""omnibind_ros: recognise what is around a robot from whatever sensors are live right now."""

__version__ = "0.2.0"
