"""Small things to test with: a tokenizer, rows, a model's examples, a terminal that keeps what it says."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from tutelage.records import Batch, Example
from tutelage.terminal import Terminal

TEXT = """The river runs past the old mill. A cat sleeps in the sun, and the baker sings. What is the capital of the
island? The capital is Harbour. Name three colours: red, green and blue. How many legs has a spider? Eight. Yes. No.
Say it again, please; she said it twice. 12 plus 30 is 42.
河水流过旧磨坊。猫在阳光下睡觉。这个岛的首都是哪里？首都是港口。
"""
SPECIALS = ["<|endoftext|>", "<|pad|>", "<|im_start|>", "<|im_end|>"]
NAMES = ("cat", "baker", "river", "mill", "spider", "island", "猫", "河水")


def train_tokenizer(size: int = 420) -> Tokenizer:
    """A byte-level BPE tokenizer of a few hundred tokens that knows the text above."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=size, special_tokens=SPECIALS, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(TEXT.splitlines(), trainer)
    return tokenizer


def write_small_model(folder: Path, tokenizer: Tokenizer, *, layers: int = 2, width: int = 32) -> Path:
    """A Hugging Face folder: a random Llama, some 40 thousand parameters unless it is made larger, and a tokenizer."""
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=width,
        intermediate_size=2 * width,
        num_hidden_layers=layers,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=256,
        bos_token_id=None,
        eos_token_id=0,
        pad_token_id=1,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    wrapped = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|endoftext|>", pad_token="<|pad|>")
    wrapped.save_pretrained(folder)
    return folder


def questions(count: int, *, start: int = 0) -> list[dict[str, Any]]:
    """Short rows, all different."""
    return [
        {"instruction": f"Say {NAMES[n % len(NAMES)]} {n}.", "output": f"The {NAMES[n % len(NAMES)]} says {n * 7}."}
        for n in range(start, start + count)
    ]


def examples(
    lengths: Sequence[int], *, vocab: int = 100, seed: int = 0, weighted: bool = False, first: int = 2
) -> list[Example]:
    """Random examples whose tokens from `first` on are trained, with weights of their own where `weighted`."""
    rng = np.random.default_rng(seed)
    made = []
    for row, length in enumerate(lengths):
        weights = rng.choice([0.25, 1.0, 3.0], length) if weighted else np.ones(length)
        weights[: min(first, length - 1)] = 0
        made.append(Example(row, rng.integers(4, vocab, length).astype(np.int32), weights.astype(np.float32)))
    return made


def gradients(model: torch.nn.Module) -> torch.Tensor:
    """All gradients in one vector, fp64; zeros where a weight has none."""
    parts = [w.grad if w.grad is not None else torch.zeros_like(w) for w in model.parameters() if w.requires_grad]
    return torch.cat([part.double().flatten() for part in parts])


def gap(left: torch.Tensor, right: torch.Tensor) -> float:
    """|left - right| / |right|."""
    return float((left - right).norm() / right.norm())


def same_batches(left: Sequence[Batch], right: Sequence[Batch]) -> bool:
    """Whether two lists of batches hold the same tokens in the same places."""
    pairs = zip(left, right, strict=True)
    return all(a.rows == b.rows and torch.equal(a.token_ids_BT, b.token_ids_BT) for a, b in pairs)


class Listening(Terminal):
    """A terminal whose words can be read back."""

    def __init__(self) -> None:
        super().__init__()
        self.heard = io.StringIO()
        self.console = Console(file=self.heard, width=10_000)

    @property
    def text(self) -> str:
        return self.heard.getvalue()
