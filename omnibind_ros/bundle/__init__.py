"""Bundles: the manifest, the label bank, and how they are loaded and checked."""
