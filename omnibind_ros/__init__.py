"""omnibind_ros: recognise what is around a robot from whatever sensors are live right now."""

import os

__version__ = "0.1.0"

# A robot sends nothing to anybody unless told to. ONNX Runtime reads this when it is imported; else it starts
# a thread that reports its usage.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
