"""The ways to filters without labels, a file each."""
