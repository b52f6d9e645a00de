"""The ladder: how far the network of 2009 gets on Caltech-101 with what is known now, rung by rung, from records."""
