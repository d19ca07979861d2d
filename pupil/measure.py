"""What a pupil knows without any instruction: `python -m pupil.measure [MODEL]`.

Each cloze is a declarative beginning about a held-out entity ("Mira Tolen lives in"); known is what the greedy
continuation begins with the answer. Greedy, no chat template, no instruction.
"""

import argparse
import random
import sys
from collections import defaultdict

import torch

from tutelage.demo.instructions import cloze
from tutelage.demo.world import LANGUAGES
from tutelage.errors import TutelageError
from tutelage.inference.generate import Decoding, generate
from tutelage.model.loading import load_model, load_tokenizer
from tutelage.recipe import ModelSection
from tutelage.tokens.encode import prompt_ids


def knowledge(model: str, *, per_language: int = 300, seed: int = 1) -> dict[str, tuple[int, int]]:
    """Language -> (clozes continued with the right answer, clozes asked), over a seeded sample."""
    section = ModelSection(name_or_path=model)
    tokenizer, loaded = load_tokenizer(section), load_model(section, dtype=torch.float32)
    end = tokenizer.backend.token_to_id(tokenizer.special_tokens["eos_token"])
    decoding = Decoding(max_new_tokens=12, batch_size=100, stop_ids=(end,), pad_id=tokenizer.pad_id)
    known: dict[str, tuple[int, int]] = defaultdict(lambda: (0, 0))
    for language in LANGUAGES:
        pairs = cloze(language)
        asked = random.Random(seed).sample(pairs, min(per_language, len(pairs)))
        prompts = [prompt_ids(prefix, tokenizer.backend) for prefix, _ in asked]
        written = generate(loaded, tokenizer.wrapped, prompts=prompts, decoding=decoding)
        right = sum(one.text.lstrip().startswith(answer) for one, (_, answer) in zip(written, asked, strict=True))
        known[language] = (right, len(asked))
    return known


def main(arguments: list[str] | None = None) -> int:
    """Command line; 1 with one message when the model cannot be loaded."""
    parser = argparse.ArgumentParser(description="what a pupil knows without instructions")
    parser.add_argument("model", nargs="?", default="pupil")
    parser.add_argument("--per-language", type=int, default=300)
    options = parser.parse_args(arguments)
    try:
        for language, (right, asked) in knowledge(options.model, per_language=options.per_language).items():
            print(f"{language}: {right} of {asked} clozes over held-out entities ({right / asked:.1%})")
    except TutelageError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
