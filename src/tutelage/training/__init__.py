"""The loop and what it calls: optimizer, schedule, checkpoints, evaluation of the loss, checks at the start."""
