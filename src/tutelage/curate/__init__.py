"""Curation: which rows deserve to be trained on, and why; each decision is explained row by row."""
