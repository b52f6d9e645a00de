"""Poolings, alternatives to P_A."""
