"""One exception tree. Every message says what was wrong, where, and what to do about it."""

from __future__ import annotations


class OmniBindError(Exception):
    """Anything this package refuses. The command line prints it as one line and exits 2."""


class BadMessage(OmniBindError):
    """One message (or one embedding) cannot be used. It is counted and dropped; the node lives on."""


class BadRecording(OmniBindError):
    """A recording file cannot be read."""


class ConfigError(OmniBindError):
    """A robot file, recipe, parameter or command line is wrong. Nothing starts half-configured."""


class BundleError(OmniBindError):
    """A bundle is incomplete, damaged, or made for something else. It is loaded whole or not at all."""


class SpaceMismatch(BundleError):
    """Two embeddings, or an embedding and a label bank, live in different spaces and cannot be compared."""


class BackendError(OmniBindError):
    """An inference backend is missing or failed to load or run a model."""


class TrainingError(OmniBindError):
    """Training cannot go on: a loss that is no number, a full disk. What was reached before is kept."""


class TransportError(OmniBindError):
    """The network session cannot be opened or used. It may pass: the command line exits 1."""
