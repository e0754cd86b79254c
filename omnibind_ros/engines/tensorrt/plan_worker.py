"""`python -m omnibind_ros.engines.tensorrt.plan_worker ONNX OPTIONS PARENT_PID`: one plan, in a process.

A builder takes minutes, all memory it gets, and now and then its process with it; none of that may happen to
an encoder at work. It says how far it is on stdout, one JSON object a line:

    {"phase": "...", "percent": 43}
    {"built": "path of the plan"}  or  {"failed": "why"}
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
from pathlib import Path
from typing import TextIO

from omnibind_ros.engines.tensorrt.build import build_plan
from omnibind_ros.engines.tensorrt.plan import PlanOptions
from omnibind_ros.errors import OmniBindError

_PR_SET_PDEATHSIG = 1
_NICENESS = 10


def main() -> int:
    onnx_path, options, parent = Path(sys.argv[1]), PlanOptions(**json.loads(sys.argv[2])), int(sys.argv[3])
    _die_with(parent)
    os.nice(_NICENESS)
    said = _take_stdout()

    def say(**what: object) -> None:
        said.write(json.dumps(what) + "\n")
        said.flush()

    try:
        plan = build_plan(onnx_path, options, lambda progress: say(**progress._asdict()))
    except OmniBindError as error:
        say(failed=str(error))
        return 1
    except Exception as error:
        say(failed=f"{type(error).__name__}: {error}")
        raise
    say(built=str(plan))
    return 0


def _die_with(parent: int) -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    # A parent that ended before the call above sends no signal any more.
    if os.getppid() != parent:
        sys.exit(1)


def _take_stdout() -> TextIO:
    """Standard output for us alone; what libraries print there goes to standard error."""
    ours = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    return ours


if __name__ == "__main__":
    sys.exit(main())
