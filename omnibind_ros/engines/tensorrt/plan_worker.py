"""Builds one plan in a process of its own: arguments ONNX_FILE and OPTIONS (JSON).

A build takes minutes and much memory, and may crash its process, which must not affect a running encoder. The
progress is written to stdout, one JSON object per line:

    {"phase": "...", "percent": 43}
    {"built": "path of the plan"}  or  {"failed": "reason"}
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TextIO

from omnibind_ros.engines.tensorrt.build import build_plan
from omnibind_ros.engines.tensorrt.plan import PlanOptions
from omnibind_ros.errors import FAILED, OmniBindError

_NICENESS = 10


def main() -> int:
    """Exit status 0 if the plan is built."""
    onnx_path, options = Path(sys.argv[1]), PlanOptions(**json.loads(sys.argv[2]))
    os.nice(_NICENESS)
    stdout = _take_stdout()

    def report(**news: object) -> None:
        stdout.write(json.dumps(news) + "\n")
        stdout.flush()

    try:
        plan = build_plan(onnx_path, options, lambda progress: report(**progress._asdict()))
    except OmniBindError as error:
        report(failed=str(error))
        return FAILED
    except Exception as error:
        report(failed=f"{type(error).__name__}: {error}")
        raise
    report(built=str(plan))
    return 0


def _take_stdout() -> TextIO:
    """Standard output for this module only; what libraries print there goes to standard error."""
    stdout = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    return stdout
