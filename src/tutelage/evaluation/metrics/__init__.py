"""Numbers that an answer gets beside its references, and numbers that describe a set of answers."""
