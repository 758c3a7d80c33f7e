"""
A pipeline as one C file
========================

A pipeline as one C file: writes tumour.c, and compiles and times it where there is a C compiler.

``python examples/c_export.py [max_iter]``
"""

import ctypes
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fastnn import MLPClassifier, to_c

CLOCK = """
#include <time.h>
void tumour_predict(const float *x, float *y);

double seconds_of_calls(int calls, float *x, float *y)
{
    const clock_t start = clock();
    for (int i = 0; i < calls; i++) {
        x[0] += 0.001f * (float)(i & 1);
        tumour_predict(x, y);
    }
    return (double)(clock() - start) / CLOCKS_PER_SEC;
}
"""

max_iter = int(sys.argv[1]) if len(sys.argv) > 1 else 300
X, y = load_breast_cancer(return_X_y=True)
pipeline = make_pipeline(StandardScaler(), MLPClassifier((128,), max_iter=max_iter, random_state=0)).fit(X, y)
text = to_c(pipeline, "tumour.c", dtype="float32")
print(f"tumour.c: {len(text):,} bytes for {sum(W.size for W in pipeline[-1].coefs_):,} weights")

compiler = shutil.which("cc")
if compiler:
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder) / "tumour.so"
        options = ["-std=c99", "-O3", "-march=native", "-shared", "-fPIC"]
        command = [compiler, *options, "-o", library, "tumour.c", "-x", "c", "-", "-lm"]
        subprocess.run(command, input=CLOCK, text=True, check=True)
        functions = ctypes.CDLL(str(library))
    functions.seconds_of_calls.restype = ctypes.c_double
    rows, outputs = X.astype(np.float32), np.empty(len(X), np.float32)
    for i, row in enumerate(rows):
        functions.tumour_predict(row.ctypes, outputs[i:].ctypes)
    error = np.abs(outputs - pipeline.predict_proba(X)[:, 1]).max()
    calls = 20_000
    seconds = functions.seconds_of_calls(calls, rows[0].ctypes, outputs.ctypes)
    print(f"{seconds / calls * 1e9:.0f} ns a sample; no probability differs by more than {error:.1e}")
