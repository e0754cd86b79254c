"""TensorRT: plans built for one GPU, and the engine that runs them."""
