"""Trained models: what ships with the package, tested and described by its record; and averages of runs, tested."""
