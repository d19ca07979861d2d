"""The data map: what the loss of each trained row tells of it, and how well its answer fits its prompt."""
