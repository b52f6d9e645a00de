"""The ladder: accuracy of the 2009 network on Caltech-101 as later methods are added one by one, from records."""
