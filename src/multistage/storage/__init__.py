"""Atomic writes, checksums, and the cache of computed tensors.

May import `registry` alone.
"""
