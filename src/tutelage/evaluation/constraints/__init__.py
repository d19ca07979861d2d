"""Constraints on an answer that a program can verify: the 25 kinds of IFEval, and kinds of our own for Chinese."""
