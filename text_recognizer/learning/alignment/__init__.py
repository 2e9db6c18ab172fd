"""Where the characters of a line are: forced alignment by CTC, character extents and positions."""
