"""The network: sizes as plain arithmetic, stages of operations, a classifier. Needs torch and nothing else.

May import `operations`, `layers` and the rooms below them.
"""
