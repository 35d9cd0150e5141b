"""Before any test imports NumPy: BLAS at one thread, since tests run beside one another."""

import os

for name in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")
