"""As ../tensorrt.py; see ../../strict_cuda.py."""

import sys

from strict_cuda import StrictGpu

stand_in = StrictGpu()
stand_in.driver.stand_in = stand_in
sys.modules[__name__] = stand_in.driver
