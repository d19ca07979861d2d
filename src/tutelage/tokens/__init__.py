"""Tokenisation, the token store, packing, batches."""
