"""Fine-tuning on one GPU beside a peer, with random weights in real shapes; sequences of 4,096 (QLoRA: 2,048).

    python -m benchmarks.gpu_sft --peer trl --json
    python -m benchmarks.gpu_sft --miniature --json        the same road on a CPU, with tiny shapes

Not yet measured: no figure of this suite stands in the documents until it has run on a card.
"""

from typing import Any

from benchmarks.sft import Case, Suite, measure, parser

QWEN3_0_6B: dict[str, Any] = {
    "model_type": "qwen3",
    "vocab_size": 151936,
    "hidden_size": 1024,
    "intermediate_size": 3072,
    "num_hidden_layers": 28,
    "num_attention_heads": 16,
    "num_key_value_heads": 8,
    "head_dim": 128,
    "max_position_embeddings": 40960,
    "tie_word_embeddings": True,
}
QWEN3_1_7B = {**QWEN3_0_6B, "hidden_size": 2048, "intermediate_size": 6144}
LLAMA_3_1_8B: dict[str, Any] = {
    "model_type": "llama",
    "vocab_size": 128256,
    "hidden_size": 4096,
    "intermediate_size": 14336,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "max_position_embeddings": 131072,
    "tie_word_embeddings": False,
}
SHAPES = {"qwen3-0.6b": QWEN3_0_6B, "qwen3-1.7b": QWEN3_1_7B, "llama-3.1-8b": LLAMA_3_1_8B}
TINY: dict[str, Any] = {
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "vocab_size": 49152,
}
STEPS = ("train.per_device_train_batch_size=2", "train.gradient_accumulation_steps=1", "train.max_steps=8")
LORA = ("train.method=lora", *STEPS)
PEER = ("--packing", "--batch", "2", "--accumulate", "1", "--steps", "8")
CASES = (
    Case("0.6b full", "qwen3-0.6b", STEPS, {"best": PEER}),
    Case("1.7b full", "qwen3-1.7b", STEPS, {"best": PEER}),
    Case("8b lora", "llama-3.1-8b", LORA, {"best": (*PEER, "--lora")}),
    Case("8b qlora", "llama-3.1-8b", (*LORA, "model.quantization=nf4", "tokens.max_length=2048")),
)


def main() -> None:
    """Measure what the command line asks for."""
    options_of = parser("python -m benchmarks.gpu_sft", str(__doc__))
    options_of.add_argument("--miniature", action="store_true", help="tiny shapes on a CPU: shows that the suite runs")
    options = options_of.parse_args()
    shapes = {name: {**shape, **TINY} for name, shape in SHAPES.items()} if options.miniature else SHAPES
    device = "cpu" if options.miniature else "cuda"
    rows = 256 if options.miniature else 2048
    max_length = 512 if options.miniature else 4096
    measure(Suite("python -m benchmarks.gpu_sft", device, shapes, CASES, max_length, rows), options)


if __name__ == "__main__":
    main()
