"""Pretrain the pupil with Tutelage's own loop: `python -m pupil.pretrain` (add --resume to go on after a stop).

A Llama of 6.4M parameters starts from random weights and reads the corpus once, as plain text that is trained whole.
"""

import argparse
import sys
from pathlib import Path

import torch
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

from pupil.corpus import WORK
from pupil.tokenizer import CONTEXT
from tutelage import recipe as recipes
from tutelage.errors import TutelageError
from tutelage.run.training import train

RECIPE = Path(__file__).with_name("pretrain.yaml")


def configuration(tokenizer_folder: Path) -> LlamaConfig:
    """The architecture: Llama, 6 layers of width 256, tied embeddings."""
    tokenizer = AutoTokenizer.from_pretrained(tokenizer_folder)
    return LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=256,
        intermediate_size=704,
        num_hidden_layers=6,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=CONTEXT,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )


def initialise(folder: Path, seed: int = 1) -> None:
    """Random weights beside the tokenizer; the output of each block is scaled down by sqrt(2 x layers), as in GPT-2."""
    config = configuration(folder)
    torch.manual_seed(seed)
    model = LlamaForCausalLM(config)
    scale = (2 * config.num_hidden_layers) ** -0.5
    with torch.no_grad():
        for layer in model.model.layers:
            layer.self_attn.o_proj.weight *= scale
            layer.mlp.down_proj.weight *= scale
    # The weights are handed on as bf16: the dtype that the finished model is stored in.
    model.to(torch.bfloat16).save_pretrained(folder)


def main(arguments: list[str] | None = None) -> int:
    """Command line; 1 with one message when something is missing."""
    parser = argparse.ArgumentParser(description="pretrain the pupil")
    parser.add_argument("--resume", action="store_true", help="go on from the newest checkpoint")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="override a key of the recipe")
    options = parser.parse_args(arguments)
    try:
        if not options.resume:
            initialise(WORK / "init")
        train(recipes.load(RECIPE, options.set), resume=options.resume)
    except TutelageError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
