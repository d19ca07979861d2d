"""The report of a run: one self-contained HTML file, and the same figures as JSON. It takes what `content` holds."""
