"""The demo: a small bilingual world whose truth is known, and instructions over it."""
