"""Tokenisation, the memory-mapped token store, packing, batches."""
