"""omnibind_ros: recognise what is around a robot from whatever sensors are live right now."""

import os

__version__ = "0.2.0"

# Set before ONNX Runtime is imported: otherwise it starts a thread that reports its usage over the network.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
