"""`python -I -S die_with_parent.py PARENT_PID COMMAND...` becomes COMMAND, which ends with its parent.

Linux only (prctl(2), PR_SET_PDEATHSIG). The setting survives exec. It is made in a process of its own,
because code between fork and exec is not safe in a process with threads. For the kernel the parent is the
*thread* that started the child.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1

if __name__ == "__main__":
    parent, command = int(sys.argv[1]), sys.argv[2:]
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    # No signal comes from a parent that ended before the call above.
    if os.getppid() == parent:
        os.execvp(command[0], command)
