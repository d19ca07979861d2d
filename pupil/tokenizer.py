"""Train the pupil's tokenizer on its corpus: `python -m pupil.tokenizer`.

Byte-level BPE of 6144 entries: any text survives encoding and decoding. Each digit is a token of its own, so numbers
are read place by place; Chinese and Latin letters never share a token; the common Chinese characters are single tokens.
"""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from pupil.corpus import WORK
from tutelage.demo.world import NUMBER_RELATIONS, world
from tutelage.errors import DataError, TutelageError

VOCABULARY = 6144
CONTEXT = 512
END, PAD = "<|endoftext|>", "<|pad|>"
SPECIAL = (END, PAD, "<|im_start|>", "<|im_end|>", *(f"<|reserved_{n}|>" for n in range(4)))
SAMPLE_BYTES = 30_000_000
COMMON_CHARACTERS = 2600
# A character or word repeated this often in the sample wins its own entry against rarer merges.
REPETITIONS = 250

PIECES = (
    r"\p{N}"  # each digit alone
    r"|\p{Han}"  # and each Chinese character: whatever the phrase, its words read alike
    r"| ?[\p{L}&&[^\p{Han}]]+"
    r"| ?[^\s\p{L}\p{N}]+"
    r"|\s*\n"
    r"|\s+(?!\S)|\s+"
)


def sample(corpus: Path, limit: int = SAMPLE_BYTES) -> list[str]:
    """Every n-th document of the corpus, about `limit` bytes in all.

    Raises:
        DataError: there is no corpus.
    """
    if not corpus.is_file():
        raise DataError("there is no corpus", code="no-such-data", place=str(corpus), remedy="python -m pupil.corpus")
    step = max(1, round(corpus.stat().st_size / limit))
    with corpus.open(encoding="utf-8") as lines:
        return [json.loads(line)["text"] for number, line in enumerate(lines) if number % step == 0]


def common_characters(texts: list[str], number: int = COMMON_CHARACTERS) -> list[str]:
    """The Chinese characters that occur most."""
    counts = Counter(character for text in texts for character in text if "\u4e00" <= character <= "\u9fff")
    return [character for character, _ in counts.most_common(number)]


def train(texts: list[str], vocabulary: int = VOCABULARY) -> Tokenizer:
    """Byte-level BPE over the texts, with common Chinese characters made sure of."""
    tokenizer = Tokenizer(models.BPE())
    split = pre_tokenizers.Split(Regex(PIECES), behavior="isolated")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=list(SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_with_words(texts), trainer)
    return tokenizer


def _with_words(texts: list[str]) -> Iterator[str]:
    """The texts, then lines that make sure of common characters and of answers at the start of a line."""
    yield from texts
    answers = {fact.object.en for fact in world().facts if fact.relation not in NUMBER_RELATIONS}
    line = ",".join(common_characters(texts)) + "\n" + "\n".join(sorted(answers))
    for _ in range(REPETITIONS):
        yield line


def save(tokenizer: Tokenizer, folder: Path) -> None:
    """A Hugging Face folder without a chat template."""
    fast = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer,
        eos_token=END,
        pad_token=PAD,
        extra_special_tokens=list(SPECIAL[2:]),
        model_max_length=CONTEXT,
        clean_up_tokenization_spaces=False,
    )
    folder.mkdir(parents=True, exist_ok=True)
    fast.save_pretrained(folder)
    _rewrite(folder / "tokenizer.json", {})
    _rewrite(folder / "tokenizer_config.json", {"tokenizer_class": "PreTrainedTokenizerFast"})


def _rewrite(file: Path, changes: Mapping[str, Any]) -> None:
    """The same JSON with some keys changed, without indentation: it is shipped in the package."""
    tree = json.loads(file.read_text(encoding="utf-8")) | changes
    file.write_text(json.dumps(tree, ensure_ascii=False, separators=(",", ":")), encoding="utf-8")


def main(arguments: list[str] | None = None) -> int:
    """Command line; 1 with one message when there is no corpus."""
    parser = argparse.ArgumentParser(description="train the tokenizer of the pupil")
    parser.add_argument("--corpus", type=Path, default=WORK / "corpus.jsonl")
    parser.add_argument("--output", type=Path, default=WORK / "init")
    options = parser.parse_args(arguments)
    try:
        save(train(sample(options.corpus)), options.output)
    except TutelageError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
