"""Rectifications, alternatives to R_abs."""
