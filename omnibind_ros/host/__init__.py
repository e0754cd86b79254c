"""What runs on a host: recordings, training, evaluation, export. Torch is imported here and nowhere else."""
