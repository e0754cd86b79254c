"""The locations of bundles and configuration files, for every way to install the package.

An explicit path wins. A name is searched in this order: in `share/omnibind_ros` of each ROS 2 workspace
(`AMENT_PREFIX_PATH`), in that of the Python installation (a wheel), and in the checkout (`pip install -e`,
`colcon build --symlink-install`).
"""

from __future__ import annotations

import hashlib
import os
import site
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

from omnibind_ros.errors import ConfigError
from omnibind_ros.names import nearest

PACKAGE = "omnibind_ros"
MANIFEST = "bundle.yaml"


def find_bundle(name_or_path: str | Path) -> Path:
    """The folder of a bundle.

    Args:
        name_or_path: e.g. `digits`, or the path of a folder that contains a `bundle.yaml`.

    Raises:
        ConfigError: no such bundle; lists the searched folders and the nearest name.
    """
    given = str(name_or_path)
    if (Path(given).expanduser() / MANIFEST).is_file():
        return Path(given).expanduser()
    if _is_path(given):
        raise ConfigError(f"bundle {given}: no {MANIFEST} in this folder")
    for folder in _folders("engines"):
        if (folder / given / MANIFEST).is_file():
            return folder / given
    names = [found.parent.name for folder in _folders("engines") for found in folder.glob(f"*/{MANIFEST}")]
    raise _not_found("bundle", given, "engines", names)


def find_config(name_or_path: str | Path) -> Path:
    """A configuration file: `robot`, `robot.yaml`, `recipes/digits`, or a path.

    Raises:
        ConfigError: no such file; lists the searched folders and the nearest name.
    """
    given = str(name_or_path)
    if Path(given).expanduser().is_file():
        return Path(given).expanduser()
    file = given if given.endswith((".yaml", ".yml")) else f"{given}.yaml"
    if Path(given).is_absolute():
        raise ConfigError(f"configuration file {given}: no such file")
    for folder in _folders("config"):
        if (folder / file).is_file():
            return folder / file
    names = [
        found.relative_to(folder).with_suffix("").as_posix()
        for folder in _folders("config")
        for found in folder.rglob("*.yaml")
    ]
    raise _not_found("configuration file", given, "config", names)


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, hexadecimal; streamed, so that large models need little memory.

    Raises:
        OSError: the file cannot be read.
    """
    digest = hashlib.sha256()
    buffer = memoryview(bytearray(1 << 18))
    with path.open("rb", buffering=0) as file:
        while count := file.readinto(buffer):
            digest.update(buffer[:count])
    return digest.hexdigest()


def _folders(kind: str) -> Iterator[Path]:
    return (share / kind for share in _shares() if (share / kind).is_dir())


def _shares() -> Iterator[Path]:
    workspaces = os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep)
    prefixes = [Path(prefix) for prefix in workspaces if prefix]
    # Debian's Python installs into <prefix>/local, `pip install --user` into the user base.
    prefixes += [Path(sys.prefix), Path(sysconfig.get_path("data")), Path(site.getuserbase())]
    for prefix in dict.fromkeys(prefixes):
        yield prefix / "share" / PACKAGE
    checkout = Path(__file__).resolve().parents[2]
    if (checkout / "package.xml").is_file():  # otherwise this is site-packages
        yield checkout


def _is_path(text: str) -> bool:
    return "/" in text or os.sep in text or text in (".", "..")


def _not_found(kind: str, name: str, folder: str, available: list[str]) -> ConfigError:
    searched = ", ".join(str(share / folder) for share in _shares())
    hint = nearest(name, dict.fromkeys(available)) if available else ""
    return ConfigError(f"no {kind} {name!r} in {searched}{hint}")
