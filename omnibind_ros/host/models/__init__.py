"""Torch models: student encoders, adaptive fusion, teachers. The robot runs their ONNX exports."""
