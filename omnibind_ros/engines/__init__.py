"""Engines run models: ONNX Runtime everywhere, TensorRT on NVIDIA GPUs."""
