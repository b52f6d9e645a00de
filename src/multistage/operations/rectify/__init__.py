"""Rectifications, in R_abs's place."""
