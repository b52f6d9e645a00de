"""Shipped models, tested and described by their records; and averages of runs, tested."""
