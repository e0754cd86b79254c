"""Torch models: student encoders, adaptive fusion, teachers. Host side only; the robot runs their ONNX exports."""
