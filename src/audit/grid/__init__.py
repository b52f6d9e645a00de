"""The grid: every combination of rectification, normalisation and pooling, computed from records."""
