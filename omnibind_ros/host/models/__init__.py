"""Torch models: students, evidence heads, adaptive fusion, teachers. Robots run their ONNX exports."""
