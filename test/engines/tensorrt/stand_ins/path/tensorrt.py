"""Found as `tensorrt` by a process whose PYTHONPATH holds this folder; see ../strict_tensorrt.py."""

import sys

from pycuda.driver import stand_in
from strict_tensorrt import from_environment

sys.modules[__name__] = from_environment(stand_in)
