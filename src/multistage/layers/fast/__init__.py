"""Faster versions: hand-written gradients and Triton kernels, equal to the plain definitions in the package above."""
