"""Loading, adapters, attention: the only room that touches transformers' insides."""
