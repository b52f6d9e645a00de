"""The readouts, one file for each."""
