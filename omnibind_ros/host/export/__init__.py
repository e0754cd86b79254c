"""Torch models -> what a robot loads: ONNX files and the bundle's manifest."""
