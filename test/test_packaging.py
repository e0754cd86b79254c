"""What users install is complete, what they import is light, and the rooms keep to their rules."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from xml.etree import ElementTree

import pytest

import omnibind_ros

CHECKOUT = Path(__file__).resolve().parents[1]
SHARE = "share/omnibind_ros"
SHARED_FOLDERS = ("calibration", "config", "engines", "launch")
ROBOT_ROOMS = (
    "core",
    "config",
    "sensors",
    "inference",
    "fusion",
    "messages",
    "nodes",
    "standalone",
    "simulation",
)


def run_python(*arguments: str, cwd: Path = CHECKOUT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], cwd=cwd, capture_output=True, text=True, timeout=100, check=False
    )


def modules_after(statements: str) -> set[str]:
    """Names of all modules that a fresh interpreter has loaded after `statements`."""
    done = run_python("-c", f"{statements}\nimport json, sys\nprint(json.dumps(list(sys.modules)))")
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


def sources(folder: str, pattern: str = "*") -> list[Path]:
    """Files below a folder of the checkout, relative to the checkout."""
    found = [path.relative_to(CHECKOUT) for path in (CHECKOUT / folder).rglob(pattern) if path.is_file()]
    return [path for path in found if "__pycache__" not in path.parts]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> zipfile.ZipFile:
    """The wheel of a copy of the checkout, so that building leaves nothing behind."""
    copy = tmp_path_factory.mktemp("checkout")
    for name in ("omnibind_ros", "resource", *SHARED_FOLDERS):
        shutil.copytree(CHECKOUT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("setup.py", "setup.cfg", "pyproject.toml", "package.xml", "README.md", "LICENSE"):
        shutil.copy(CHECKOUT / name, copy)
    options = ("--no-deps", "--no-build-isolation", "--quiet", "--wheel-dir", "dist")
    done = run_python("-m", "pip", "wheel", *options, ".", cwd=copy)
    assert done.returncode == 0, done.stderr
    (built,) = (copy / "dist").glob("*.whl")
    return zipfile.ZipFile(built)


def test_the_wheel_has_all_shared_files_where_they_are_looked_for(wheel):
    version = omnibind_ros.__version__
    installed = {name.removeprefix(f"omnibind_ros-{version}.data/data/") for name in wheel.namelist()}
    wanted = {f"{SHARE}/{path.as_posix()}" for folder in SHARED_FOLDERS for path in sources(folder)}
    assert f"{SHARE}/config/robot.yaml" in wanted
    assert f"{SHARE}/config/recipes/digits.yaml" in wanted
    assert wanted <= installed
    assert f"{SHARE}/package.xml" in installed
    assert "share/ament_index/resource_index/packages/omnibind_ros" in installed


def test_the_wheel_has_the_whole_package(wheel):
    wanted = {
        path.as_posix()
        for pattern in ("*.py", "*.msg", "py.typed")
        for path in sources("omnibind_ros", pattern)
    }
    assert "omnibind_ros/messages/definitions/vision_msgs/msg/Classification.msg" in wanted
    assert "omnibind_ros/py.typed" in wanted
    assert wanted <= set(wheel.namelist())


def test_the_wheel_installs_the_command_and_nothing_of_torch_by_itself(wheel):
    folder = f"omnibind_ros-{omnibind_ros.__version__}.dist-info"
    assert "omnibind = omnibind_ros.cli.main:main" in wheel.read(f"{folder}/entry_points.txt").decode()
    metadata = wheel.read(f"{folder}/METADATA").decode()
    always = re.findall(r"^Requires-Dist: ([\w-]+)[^;\n]*$", metadata, re.MULTILINE)
    assert "numpy" in always
    assert not {"torch", "lightning", "onnx"} & set(always)
    assert "Requires-Python: >=3.10" in metadata


def test_ros_and_pip_agree_on_what_this_is(wheel):
    package = ElementTree.parse(CHECKOUT / "package.xml").getroot()
    metadata = wheel.read(f"omnibind_ros-{omnibind_ros.__version__}.dist-info/METADATA").decode()
    assert package.get("format") == "3"
    assert package.findtext("name") == "omnibind_ros"
    assert package.findtext("version") == omnibind_ros.__version__
    assert f"\nVersion: {omnibind_ros.__version__}\n" in metadata
    assert package.findtext("license") == "Apache-2.0"
    assert package.findtext("export/build_type") == "ament_python"


def test_colcon_sees_a_ros_package():
    # A malformed address and a [project] table both make it, silently, one without executables.
    package = ElementTree.parse(CHECKOUT / "package.xml").getroot()
    addresses = [person.get("email") for person in package.iter("maintainer")]
    assert addresses
    for address in addresses:
        assert re.fullmatch(r"[\w.+-]+@[\w-]+(\.[\w-]+)+", address)
    assert not re.search(r"^\s*\[\s*project\b", (CHECKOUT / "pyproject.toml").read_text(), re.MULTILINE)
    assert (CHECKOUT / "setup.cfg").read_text().count("=$base/lib/omnibind_ros") == 2
    assert (CHECKOUT / "resource" / "omnibind_ros").is_file()


def test_the_rooms_keep_to_the_import_rules():
    done = run_python("-c", "from importlinter.cli import lint_imports_command as run; run(['--no-cache'])")
    assert done.returncode == 0, done.stdout + done.stderr
    assert " 0 broken" in done.stdout


def test_the_command_starts_without_loading_what_only_some_of_it_needs():
    loaded = modules_after("import omnibind_ros.cli.main")
    assert "omnibind_ros.cli.main" in loaded
    assert not {"torch", "lightning", "zenoh", "onnxruntime", "cv2"} & loaded


def test_no_module_of_the_robot_loads_torch():
    rooms = [f"omnibind_ros/{room}" for room in ROBOT_ROOMS]
    modules = [
        ".".join(path.with_suffix("").parts).removesuffix(".__init__")
        for room in rooms
        for path in sources(room, "*.py")
        if room != "omnibind_ros/nodes" or path.name == "__init__.py"
    ]
    assert "omnibind_ros.standalone.wire" in modules
    loaded = modules_after("\n".join(f"import {module}" for module in modules))
    assert set(modules) <= loaded
    assert not {"torch", "lightning", "transformers", "onnx"} & loaded
