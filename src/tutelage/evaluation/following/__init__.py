"""How well an answer follows its instruction: format, relevance, completeness, quality, each in [0, 1] with reasons."""
