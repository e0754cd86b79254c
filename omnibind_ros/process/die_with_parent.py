"""`python -I -S die_with_parent.py PARENT_PID COMMAND...` becomes COMMAND, which dies with its parent.

Linux only (prctl(2), PR_SET_PDEATHSIG). The setting survives exec, and made in a process of its own it needs
no code between fork and exec, which is not safe in a process with threads. The parent, to the kernel, is the
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
    # A parent that ended before the call above sends no signal any more.
    if os.getppid() == parent:
        os.execvp(command[0], command)
