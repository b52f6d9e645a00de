"""Files: whole or not there, with a checksum; and the cache of tensors that are made once.

May import `registry` alone.
"""
