"""Poolings, in P_A's place."""
