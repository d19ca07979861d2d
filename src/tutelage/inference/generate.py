"""Batched greedy generation with a KV cache, from prompts whose ids are those that training saw."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from transformers import GenerationConfig, PreTrainedModel, PreTrainedTokenizerBase, TextStreamer

from tutelage.records import Generation

Progress = Callable[[int], None]


@dataclass(frozen=True)
class Decoding:
    """How answers are made; the same for every model that is compared.

    Attributes:
        max_new_tokens: limit of one answer.
        batch_size: prompts generated together.
        stop_ids: ids at which generation stops.
        pad_id: written before shorter prompts of a batch, masked.
    """

    max_new_tokens: int
    batch_size: int
    stop_ids: tuple[int, ...]
    pad_id: int

    def config(self) -> GenerationConfig:
        """As transformers wants it; nothing is taken over from the model's own generation settings."""
        return GenerationConfig(
            do_sample=False,
            max_new_tokens=self.max_new_tokens,
            eos_token_id=list(self.stop_ids),
            pad_token_id=self.pad_id,
        )


def generate(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[Sequence[int]],
    *,
    decoding: Decoding,
    progress: Progress | None = None,
) -> list[Generation]:
    """Greedy answers to prompts given as ids, in their order. Prompts of like length share a batch.

    Args:
        progress: called with the number of answers done after each batch.
    """
    model.eval()
    results: list[Generation | None] = [None] * len(prompts)
    order = sorted(range(len(prompts)), key=lambda number: len(prompts[number]))
    for at in range(0, len(order), decoding.batch_size):
        numbers = order[at : at + decoding.batch_size]
        rows = _generate_batch(model, [prompts[number] for number in numbers], decoding)
        for number, ids in zip(numbers, rows, strict=True):
            results[number] = _finish(ids, tokenizer, decoding)
        if progress is not None:
            progress(min(at + decoding.batch_size, len(order)))
    return [result for result in results if result is not None]


def stream(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompt: Sequence[int],
    *,
    decoding: Decoding,
    write: Callable[[str], None],
) -> Generation:
    """One greedy answer, handed to `write` piece by piece as it is made."""
    model.eval()
    ids = torch.tensor([list(prompt)], device=model.device)
    with torch.inference_mode():
        out = model.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            generation_config=decoding.config(),
            streamer=_Writer(tokenizer, write),
        )
    return _finish(out[0, ids.shape[1] :].tolist(), tokenizer, decoding)


class _Writer(TextStreamer):  # type: ignore[misc]
    """transformers' streamer, writing into a function."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, write: Callable[[str], None]) -> None:
        super().__init__(tokenizer, skip_prompt=True, skip_special_tokens=True)
        self._write = write

    def on_finalized_text(self, text: str, stream_end: bool = False) -> None:
        self._write(text)


def _generate_batch(model: PreTrainedModel, prompts: Sequence[Sequence[int]], decoding: Decoding) -> list[list[int]]:
    longest = max(len(prompt) for prompt in prompts)
    ids_BT = torch.full((len(prompts), longest), decoding.pad_id, dtype=torch.long)
    mask_BT = torch.zeros_like(ids_BT)
    for row, prompt in enumerate(prompts):
        ids_BT[row, longest - len(prompt) :] = torch.tensor(list(prompt))
        mask_BT[row, longest - len(prompt) :] = 1
    with torch.inference_mode():
        out_BT = model.generate(
            ids_BT.to(model.device), attention_mask=mask_BT.to(model.device), generation_config=decoding.config()
        )
    rows: list[list[int]] = out_BT[:, longest:].tolist()
    return rows


def _finish(ids: Sequence[int], tokenizer: PreTrainedTokenizerBase, decoding: Decoding) -> Generation:
    ends = [place for place, number in enumerate(ids) if number in decoding.stop_ids]
    answer = list(ids[: ends[0]] if ends else ids)
    text = tokenizer.decode(answer, skip_special_tokens=True, clean_up_tokenization_spaces=False)
    return Generation(text=str(text), stopped=bool(ends), tokens=len(answer))
