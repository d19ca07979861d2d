"""Prompts with the answers that belong to them, each about one thing and one deed."""

THINGS = ["river", "castle", "violin", "engine", "planet", "harbour", "mirror", "candle", "bridge", "market", "desert"]
DEEDS = ["polished", "measured", "painted", "repaired", "counted", "guarded", "borrowed", "traded", "washed", "hidden"]
PAIRS = [
    (f"Tell me how a {thing} was {deed}.", f"The {thing} was {deed} in the morning, before anybody woke up.")
    for thing in THINGS
    for deed in DEEDS
]
