"""Recordings: recipes, readers, decoding, splits, checks, augmentation and corruption. No torch."""
