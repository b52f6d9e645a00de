"""COIL-20: how errors grow with the angle between a view and the nearest labelled one, from records and counts."""
