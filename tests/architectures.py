"""Tiny random models of many architectures, made from their configurations."""

from collections.abc import Callable
from typing import Any

import torch
import transformers as t
from transformers import AutoModelForCausalLM, PreTrainedConfig, PreTrainedModel

VOCAB, CONTEXT = 100, 128
COMMON: dict[str, Any] = {
    "vocab_size": VOCAB,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": CONTEXT,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
ENDS: dict[str, Any] = {"vocab_size": VOCAB, "bos_token_id": 1, "eos_token_id": 2}
ALIBI: dict[str, Any] = {**ENDS, "d_model": 32, "n_heads": 4, "n_layers": 2, "max_seq_len": CONTEXT}
EXPERTS: dict[str, Any] = {**COMMON, "num_local_experts": 4, "num_experts_per_tok": 2, "sliding_window": None}
SINKS: dict[str, Any] = {
    **COMMON,
    "head_dim": 8,
    "num_local_experts": 2,
    "num_experts_per_tok": 1,
    "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0},
}

CONFIGS: dict[str, Callable[[], PreTrainedConfig]] = {
    "llama": lambda: t.LlamaConfig(**COMMON),
    "qwen2": lambda: t.Qwen2Config(**COMMON, tie_word_embeddings=True),
    "qwen3": lambda: t.Qwen3Config(**COMMON, head_dim=8),
    "phi3": lambda: t.Phi3Config(**COMMON, sliding_window=None),
    "olmo2": lambda: t.Olmo2Config(**COMMON),
    "gpt2": lambda: t.GPT2Config(**ENDS, n_embd=32, n_layer=2, n_head=4, n_positions=CONTEXT),
    "opt": lambda: t.OPTConfig(**COMMON, ffn_dim=48, word_embed_proj_dim=32),
    "cohere": lambda: t.CohereConfig(**COMMON, logit_scale=0.25),
    "granite": lambda: t.GraniteConfig(**COMMON, logits_scaling=3.0, attention_multiplier=0.3),
    "mixtral": lambda: t.MixtralConfig(**EXPERTS),
    "mistral with a short window": lambda: t.MistralConfig(**COMMON, sliding_window=16),
    "gemma2": lambda: t.Gemma2Config(**COMMON, head_dim=8, sliding_window=64, final_logit_softcapping=2.0),
    "gpt-oss": lambda: t.GptOssConfig(**SINKS),
    "falcon": lambda: t.FalconConfig(**ENDS, hidden_size=32, num_hidden_layers=2, num_attention_heads=4),
    "mpt": lambda: t.MptConfig(**ALIBI),
    "llama4": lambda: t.Llama4TextConfig(**EXPERTS, head_dim=8, intermediate_size_mlp=48),
}


def tiny(name: str, seed: int = 0) -> PreTrainedModel:
    """A random model of an architecture, fp32, without dropout; with weights large enough for attention to choose."""
    torch.manual_seed(seed)
    model = AutoModelForCausalLM.from_config(CONFIGS[name]()).float().eval()
    with torch.no_grad():
        for weight in model.parameters():
            weight *= 5 if weight.dim() == 2 else 1
    return model
