"""Where a process computes, and what it computes fast."""

import torch


def device() -> torch.device:
    """Where this process computes."""
    return torch.device("cuda", torch.cuda.current_device()) if torch.cuda.is_available() else torch.device("cpu")


def has_fast_bf16() -> bool:
    """Whether this process multiplies bf16 matrices in hardware."""
    return torch.cuda.is_bf16_supported() if torch.cuda.is_available() else torch.cpu._is_avx512_bf16_supported()
