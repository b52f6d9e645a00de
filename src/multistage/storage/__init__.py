"""Files: whole or not there, with a checksum; and tensors that are made once and kept."""
