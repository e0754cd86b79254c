"""One exception tree. Every message is one line: what is wrong, where, and what to do."""

from __future__ import annotations

FAILED, REFUSED = 1, 2
"""Exit statuses. After FAILED a restart may help; after REFUSED only other input files or arguments do."""


class OmniBindError(Exception):
    """Base of all errors of this package. The command line prints one line and exits with `status`."""

    status = FAILED


class BadMessage(OmniBindError):
    """One message or embedding cannot be used. It is counted and dropped; the process continues."""


class BadRecording(OmniBindError):
    """A recording file cannot be read."""

    status = REFUSED


class ConfigError(OmniBindError):
    """A robot file, recipe, parameter or command line is invalid. Nothing starts."""

    status = REFUSED


class BundleError(OmniBindError):
    """A bundle is incomplete, damaged, or does not fit together. It is loaded whole or not at all."""

    status = REFUSED


class SpaceMismatch(BundleError):
    """Embeddings or label banks of different spaces cannot be compared."""


class BackendError(OmniBindError):
    """An inference backend is missing, or failed to load or run a model."""


class TrainingError(OmniBindError):
    """Training cannot continue (a loss that is not finite, a full disk). Checkpoints are kept."""


class TransportError(OmniBindError):
    """The network session cannot be opened or used."""
