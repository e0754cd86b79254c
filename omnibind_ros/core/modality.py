"""A modality is a kind of signal. The built-in ones are named here; a bundle may bring its own."""

from __future__ import annotations

Modality = str

MODALITIES: tuple[Modality, ...] = ("image", "text", "audio", "event", "touch", "thermal", "point_cloud")
