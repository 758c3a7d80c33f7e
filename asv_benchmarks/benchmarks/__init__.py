"""The asv suite of fastnn. FASTNN_BENCH picks how much of it: smoke, regular (the default) or large.

Parameters must not follow from what is installed: asv counts through them in each commit that it measures.
"""

import os
import sys
from pathlib import Path

LIMITS = ("NUMBA_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS")
for _variable in LIMITS:
    os.environ.setdefault(_variable, "1")
_root = Path(__file__).parents[2]
if "ASV_COMMIT" in os.environ:  # numba's own cache could serve one commit the machine code of another
    os.environ["NUMBA_CACHE_DIR"] = str(Path(os.environ["ASV_ENV_DIR"], "kernels", os.environ["ASV_COMMIT"]))
else:  # of this tree, whichever is installed
    sys.path[:0] = [str(_root), str(_root / "kernels")]
sys.path += [str(_root / "asv_benchmarks"), str(_root / "tests" / "support")]
