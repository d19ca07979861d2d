"""Fine-tuning on a CPU beside a peer: SmolLM2-135M's shape, Alpaca, sequences of 1,024.

    python -m benchmarks.cpu_sft --peer trl --json
    python -m benchmarks.cpu_sft --peer trl --peer-python ../peers/bin/python --cases full

The weights are random, and the first step of each run is left out. "best" is the peer's fastest setting that we know
(packed, one sequence at a time, two per step), "default" is the peer as it comes. Ours takes eight sequences per step,
two at a time (LoRA: one), with compiled layers (the time of compiling is left out). `freeze` trains the last four
layers over three epochs; its time is compared with full fine-tuning of the same rows with the same settings (seconds of
the loop).
"""

from benchmarks.sft import Case, Suite, measure, parser

SMOLLM2_135M = {
    "model_type": "llama",
    "vocab_size": 49152,
    "hidden_size": 576,
    "intermediate_size": 1536,
    "num_hidden_layers": 30,
    "num_attention_heads": 9,
    "num_key_value_heads": 3,
    "max_position_embeddings": 8192,
    "tie_word_embeddings": True,
}
BEST = ("--packing", "--batch", "1", "--accumulate", "2", "--steps", "5")
DEFAULT = ("--steps", "4")
OURS = ("train.per_device_train_batch_size=2", "train.gradient_accumulation_steps=4", "train.max_steps=4")
ONE = ("train.per_device_train_batch_size=1", "train.gradient_accumulation_steps=8", "train.max_steps=4")
COMPILED = "train.torch_compile=true"
EPOCHS = (*OURS[:2], "train.num_train_epochs=3", "data.max_rows=256")
FREEZE = ("train.method=freeze", "freeze.trainable_layers=4")
CASES = (
    Case("full", "smollm2-135m", (*OURS, COMPILED), {"best": BEST, "default": DEFAULT}),
    Case("lora", "smollm2-135m", ("train.method=lora", *ONE, COMPILED), {"best": (*BEST, "--lora")}),
    Case("freeze", "smollm2-135m", (*FREEZE, *EPOCHS), beside=EPOCHS),
)


def main() -> None:
    """Measure what the command line asks for."""
    options = parser("python -m benchmarks.cpu_sft", str(__doc__)).parse_args()
    measure(Suite("python -m benchmarks.cpu_sft", "cpu", {"smollm2-135m": SMOLLM2_135M}, CASES), options)


if __name__ == "__main__":
    main()
