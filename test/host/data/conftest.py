"""What the tests of this room share."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny_recordings import write_tiny_root


@pytest.fixture
def tiny_root(tmp_path: Path) -> Path:
    """A folder of tiny recordings of every format."""
    return write_tiny_root(tmp_path / "recordings")
