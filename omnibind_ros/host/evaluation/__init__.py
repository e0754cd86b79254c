"""Evaluation of bundles and fusion rules: every modality, every subset, faulty sensors. No torch."""
