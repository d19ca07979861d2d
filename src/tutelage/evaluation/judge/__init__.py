"""A judge behind an endpoint: which of two answers is better, how good an answer is, and whether such a judge is to be
believed."""
