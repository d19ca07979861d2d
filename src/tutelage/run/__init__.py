"""The composition root: the one place that knows every room. A module per verb, and what verbs share."""
