"""The readouts, a file each."""
