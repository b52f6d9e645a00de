"""What can be typed: keys, their rules, one-line messages, names of folders. The only room that uses Hydra."""
