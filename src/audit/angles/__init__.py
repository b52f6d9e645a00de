"""COIL-20: error against the angle between a view and the nearest labelled view, from records and counts."""
