#!/bin/sh
# From a table to predictions without a line of Python: sh examples/command_line.sh [epochs]
# Writes wine.safetensors, wine.png and predictions.csv.
set -e

fastnn train wine --preset fast --epochs "${1:-100}" --out wine.safetensors --plot wine.png
fastnn evaluate wine.safetensors wine
fastnn explain wine.safetensors wine
fastnn predict wine.safetensors wine --keep alcohol --proba --out predictions.csv
head -n 3 predictions.csv
