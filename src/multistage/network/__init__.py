"""The network: shape arithmetic, stages of operations, a classifier. Needs only torch.

May import `operations`, `layers` and the rooms below them.
"""
