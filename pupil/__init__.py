"""How the bundled base model was made: corpus, tokenizer, pretraining. Not part of the installed package."""
