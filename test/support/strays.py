"""Files with the names of modules, which must not be imported from the current folder."""

from __future__ import annotations

from pathlib import Path


def write_strays(folder: Path) -> Path:
    """A folder with modules that end the process that imports them; returns the folder."""
    folder.mkdir(exist_ok=True)
    for name in ("omnibind_ros", "typer", "numpy", "json"):
        (folder / f"{name}.py").write_text(f"raise SystemExit('a stray {name}.py')\n")
    return folder
