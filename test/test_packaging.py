"""What users install is complete, what they import is light, and the rooms keep to their rules."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from collections.abc import Mapping
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from xml.etree import ElementTree

import pytest

import omnibind_ros

CHECKOUT = Path(__file__).resolve().parents[1]
SHARE = "share/omnibind_ros"
SHARED_FOLDERS = ("calibration", "config", "engines", "launch")
NOT_ON_THE_ROBOT = ("cli", "host", "simulation", "transport/ros")
HOST_PARTS = ("files", "pictures", "recordings", "simulation", "training")
"""Of modalities: modules in their folders, or beside them where several share something."""


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


def copy_checkout(to: Path) -> Path:
    """What building needs of the checkout, so that building leaves nothing behind in it."""
    for name in ("omnibind_ros", "resource", *SHARED_FOLDERS):
        shutil.copytree(CHECKOUT / name, to / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("setup.py", "setup.cfg", "pyproject.toml", "package.xml", "README.md", "LICENSE"):
        shutil.copy(CHECKOUT / name, to)
    return to


def found_by(python: Path, cwd: Path, environment: Mapping[str, str]) -> dict[str, str]:
    """Where the installed package is, and where it finds what is shared."""
    code = """
import json, omnibind_ros
from omnibind_ros.config.resources import find_bundle, find_config
found = dict(
    package=omnibind_ros.__file__, bundle=find_bundle("digits"), config=find_config("recipes/digits"),
)
print(json.dumps({kind: str(path) for kind, path in found.items()}))
"""
    done = subprocess.run(
        [python, "-c", code],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def shared_files_in(share: Path) -> dict[str, str]:
    assert (share / "calibration").is_dir()
    assert (share / "launch" / "fusion.launch.py").is_file()
    return {
        "bundle": str(share / "engines" / "digits"),
        "config": str(share / "config" / "recipes" / "digits.yaml"),
    }


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> zipfile.ZipFile:
    copy = copy_checkout(tmp_path_factory.mktemp("checkout"))
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


def test_an_installed_wheel_finds_its_files_and_its_executables(wheel, tmp_path):
    home = tmp_path / "python"
    venv.create(home, with_pip=False)
    purelib = Path(sysconfig.get_path("purelib", vars={"base": str(home)}))
    options = ("--ignore-installed", "--no-deps", "--no-index", "--quiet", "--disable-pip-version-check")
    done = run_python("-m", "pip", "--python", str(home), "install", *options, str(wheel.filename))
    assert done.returncode == 0, done.stderr
    # What the package depends on is borrowed from here.
    borrowed = [path for path in sys.path if path.endswith("-packages")]
    (purelib / "dependencies.pth").write_text("\n".join(borrowed) + "\n")
    found = found_by(home / "bin" / "python", tmp_path, {"HOME": str(tmp_path)})
    assert Path(found.pop("package")).is_relative_to(purelib)
    assert found == shared_files_in(home / SHARE)
    programs = {path.name for path in (home / "bin").iterdir()}
    assert {"omnibind", "encoder_node", "fusion_node", "robot_node"} <= programs


@pytest.mark.skipif("ROS_DISTRO" not in os.environ, reason="no ROS 2 is sourced: nothing built with colcon")
@pytest.mark.skipif(find_spec("colcon_ros") is None, reason="no colcon in this Python: nothing built with it")
@pytest.mark.parametrize("options", [(), ("--symlink-install",)], ids=["plain", "symlink"])
def test_a_colcon_workspace_finds_its_files_and_its_executables(options, tmp_path):
    if options and int(version("setuptools").partition(".")[0]) >= 80:
        pytest.skip("colcon's --symlink-install wants setuptools<80")
    source = tmp_path / "src" / "omnibind_ros"
    source.mkdir(parents=True)
    copy_checkout(source)
    done = run_python("-m", "colcon", "build", *options, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    prefix = tmp_path / "install" / "omnibind_ros"
    sourced = f"source {tmp_path}/install/setup.bash && env -0"
    done = subprocess.run(["bash", "-c", sourced], capture_output=True, text=True, timeout=60, check=True)
    environment = dict(line.split("=", 1) for line in done.stdout.split("\0") if line)
    found = found_by(Path(sys.executable), tmp_path, environment)
    package = Path(found.pop("package"))
    assert package.is_relative_to(tmp_path)
    assert (package.resolve() == source / "omnibind_ros" / "__init__.py") == bool(options)
    assert found == shared_files_in(prefix / "share" / "omnibind_ros")
    listed = subprocess.run(
        ["ros2", "pkg", "executables", "omnibind_ros"],
        env=environment, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    names = {"encoder_node", "fusion_node", "robot_node", "omnibind"}
    assert set(listed.stdout.split()) == {"omnibind_ros"} | names
    for name in names:
        (first, *_) = (prefix / "lib" / "omnibind_ros" / name).read_text().splitlines()
        assert first == f"#!{sys.executable}"


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
    for python in ("3.10", "3.11", "3.12"):
        assert f"\nClassifier: Programming Language :: Python :: {python}\n" in metadata


def test_the_changelog_has_the_version_or_a_section_for_the_next_one():
    titles = re.findall(r"^(.+)\n-{3,}$", (CHECKOUT / "CHANGELOG.rst").read_text(), re.MULTILINE)
    assert all(re.fullmatch(r"Forthcoming|\d+\.\d+\.\d+ \(\d{4}-\d\d-\d\d\)", title) for title in titles)
    assert titles[0].split()[0] in ("Forthcoming", omnibind_ros.__version__)
    assert "Forthcoming" not in titles[1:]


def imported_packages(folder: str) -> set[str]:
    """Of Python, by all modules below a folder of the checkout."""
    found = set()
    for path in sources(folder, "*.py"):
        for node in ast.walk(ast.parse((CHECKOUT / path).read_text())):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                found.add(node.module.partition(".")[0])
    return found


@pytest.mark.parametrize("folder", ["omnibind_ros/transport/ros", "launch", "test/transport/ros"])
def test_what_is_imported_of_ros_is_declared(folder):
    apt = {
        "numpy": "python3-numpy",
        "cv2": "python3-opencv",
        "yaml": "python3-yaml",
        "pytest": "python3-pytest",
    }
    ours = {"omnibind_ros", *(path.stem for path in sources("test", "*.py"))}
    package = ElementTree.parse(CHECKOUT / "package.xml").getroot()
    kinds = ("exec_depend", "test_depend") if folder.startswith("test") else ("exec_depend",)
    declared = {element.text for kind in kinds for element in package.iter(kind)}
    others = imported_packages(folder) - ours - set(sys.stdlib_module_names)
    assert {"launch"} <= others or {"rclpy"} <= others
    assert {apt.get(name, name) for name in others} - {"dvs_msgs"} <= declared  # released for no ROS 2


def test_colcon_sees_a_ros_package():
    # A malformed address and a [project] table both make it, silently, one without executables.
    package = ElementTree.parse(CHECKOUT / "package.xml").getroot()
    addresses = [person.get("email", "") for person in package.iter("maintainer")]
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


def test_no_module_of_the_robot_loads_torch_or_what_is_for_the_host():
    folders = tuple(f"omnibind_ros/{folder}/" for folder in NOT_ON_THE_ROBOT)
    modules = {
        ".".join(path.with_suffix("").parts).removesuffix(".__init__")
        for path in sources("omnibind_ros", "*.py")
        if not path.as_posix().startswith((*folders, "omnibind_ros/modalities/"))
    }
    for path in sources("omnibind_ros/modalities", "*.py"):
        if path.stem not in HOST_PARTS:
            modules.add(".".join(path.with_suffix("").parts).removesuffix(".__init__"))
    assert {"omnibind_ros.transport.zenoh.wire", "omnibind_ros.modalities.audio.preprocessing"} <= modules
    loaded = modules_after("\n".join(f"import {module}" for module in sorted(modules)))
    assert {name for name in loaded if name.split(".")[0] == "omnibind_ros"} == modules
    assert not {"torch", "lightning", "transformers", "onnx"} & loaded


def test_an_encoder_loads_the_preprocessing_of_its_own_modality_only():
    make = "from omnibind_ros.modalities.registry import make_preprocessor\nmake_preprocessor"
    loaded = modules_after(f"{make}('audio')")
    assert {name for name in loaded if name.endswith(".preprocessing")} == {
        "omnibind_ros.modalities.audio.preprocessing"
    }
    assert not {"cv2", "rosbags", "omnibind_ros.host"} & loaded
