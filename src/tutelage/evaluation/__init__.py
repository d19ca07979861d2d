"""What improved: metrics, statistics, and the comparison of models on the same questions."""
