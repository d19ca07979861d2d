"""What benchmarks train on: Alpaca's rows as messages, and models of real shapes with random weights.

Data and tokenizer come from `$TUTELAGE_SHARED` (../shared/assets where it is unset).
"""

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

SHARED = Path(os.environ.get("TUTELAGE_SHARED", "../shared/assets"))
VOCAB = 49152
# The marks are for the peer, which finds answers by them.
TEMPLATE = """{%- for message in messages %}
  {{- '<|im_start|>' + message['role'] + '\\n' }}
  {%- if message['role'] == 'assistant' %}
    {%- generation %}
      {{- message['content'] + '<|im_end|>' }}
    {%- endgeneration %}
    {{- '\\n' }}
  {%- else %}
    {{- message['content'] + '<|im_end|>\\n' }}
  {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
  {{- '<|im_start|>assistant\\n' }}
{%- endif %}"""


def write_rows(path: Path) -> None:
    """Alpaca's 52,002 rows as messages, one a line."""
    with path.open("w", encoding="utf-8") as file:
        for row in json.loads((SHARED / "datasets" / "alpaca" / "alpaca_data.json").read_text(encoding="utf-8")):
            asked = f"{row['instruction']}\n{row['input']}" if row["input"] else row["instruction"]
            turns = [{"role": "user", "content": asked}, {"role": "assistant", "content": row["output"]}]
            file.write(json.dumps({"messages": turns}, ensure_ascii=False) + "\n")


def write_tokenizer(folder: Path) -> None:
    """The SmolLM2 tokenizer with a ChatML template."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(SHARED / "tokenizers" / "smollm2" / "tokenizer.json", folder)
    tokens = {"bos_token": "<|im_start|>", "eos_token": "<|im_end|>", "pad_token": "<|endoftext|>"}
    write_json(
        folder / "tokenizer_config.json",
        {"tokenizer_class": "PreTrainedTokenizerFast", "chat_template": TEMPLATE} | tokens,
    )


def write_config(folder: Path) -> None:
    """A configuration without weights, for what needs none."""
    write_json(folder / "config.json", {"model_type": "llama", "vocab_size": VOCAB, "max_position_embeddings": 8192})


def write_model(folder: Path, shape: Mapping[str, Any], *, device: str) -> None:
    """A Llama or Qwen3 of this shape (arguments of its configuration) with random bf16 weights."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    torch.manual_seed(0)
    config = AutoConfig.for_model(**shape)
    with torch.device(device):
        model = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
    write_tokenizer(folder)
    model.save_pretrained(folder)


def write_json(path: Path, value: Any) -> None:
    """A value as a JSON file."""
    path.write_text(json.dumps(value), encoding="utf-8")
