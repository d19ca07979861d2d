"""The verbs data clean, data select and data mix: stages of curation in a row, over files larger than memory."""
