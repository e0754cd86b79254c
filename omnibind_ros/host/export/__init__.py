"""Export of torch models for robots: ONNX files in several precisions, and bundles."""
