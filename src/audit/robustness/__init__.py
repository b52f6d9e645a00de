"""Robustness to corrupted images: curves, tables and the effect of contrast normalisation, from records."""
