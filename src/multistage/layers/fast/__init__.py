"""The same operations, faster: gradients by hand, Triton's kernels. Each equals its plain definition beside it."""
