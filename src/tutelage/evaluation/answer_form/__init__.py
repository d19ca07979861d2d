"""The form of answers: structure, length, fluency, manner; and how it drifts between two sets of answers."""
