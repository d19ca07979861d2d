"""Batched greedy generation with a KV cache, from prompts whose ids are those that training saw."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from transformers import GenerationConfig, PreTrainedModel, PreTrainedTokenizerBase, TextStreamer

from tutelage.records import Generation

Done = Callable[[Mapping[int, Generation]], None]


@dataclass(frozen=True)
class Decoding:
    """How answers are made; the same for every model that is compared.

    Attributes:
        max_new_tokens: limit of one answer.
        batch_size: prompts generated together.
        stop_ids: ids at which generation stops.
        pad_id: written before shorter prompts of a batch, masked.
        context: positions that the models were made for; an answer ends there. None: no limit.
    """

    max_new_tokens: int
    batch_size: int
    stop_ids: tuple[int, ...]
    pad_id: int
    context: int | None = None

    def room(self, prompt: Sequence[int]) -> int:
        """How many tokens the answer to a prompt may have."""
        return self.max_new_tokens if self.context is None else min(self.max_new_tokens, self.context - len(prompt))

    def config(self, room: int) -> GenerationConfig:
        """As transformers wants it, for answers of at most `room` tokens."""
        return GenerationConfig(
            do_sample=False,
            max_new_tokens=room,
            eos_token_id=list(self.stop_ids),
            pad_token_id=self.pad_id,
        )


def generate(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    *,
    prompts: Sequence[Sequence[int]],
    decoding: Decoding,
    done: Done | None = None,
) -> list[Generation]:
    """Greedy answers to prompts given as ids, in their order. Prompts of like length share a batch.

    A prompt that fills the context gets no answer.

    Args:
        done: called after each batch with its answers, by the number of their prompt.
    """
    model.eval()
    results: dict[int, Generation] = {}
    for numbers in _batches(prompts, decoding):
        rows = _generate_batch(model, [prompts[number] for number in numbers], decoding)
        batch = {number: _finish(ids, tokenizer, decoding) for number, ids in zip(numbers, rows, strict=True)}
        results |= batch
        if done is not None:
            done(batch)
    return [results[number] for number in range(len(prompts))]


def stream(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    *,
    prompt: Sequence[int],
    decoding: Decoding,
    write: Callable[[str], None],
) -> Generation:
    """One greedy answer, handed to `write` piece by piece as it is made."""
    model.eval()
    ids = torch.tensor([list(prompt)], device=model.device)
    with _settings(model, decoding.config(decoding.room(prompt))) as config:
        out = model.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            generation_config=config,
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


@contextmanager
def _settings(model: PreTrainedModel, config: GenerationConfig) -> Iterator[GenerationConfig]:
    """Nothing but these settings: what they leave open, transformers would take from the model's own (a repetition
    penalty, a minimal length)."""
    own = model.generation_config
    model.generation_config = config
    try:
        with torch.inference_mode():
            yield config
    finally:
        model.generation_config = own


def _batches(prompts: Sequence[Sequence[int]], decoding: Decoding) -> Iterator[list[int]]:
    """Numbers of prompts by length; those that leave less room than `max_new_tokens` stand alone, so that no answer is
    cut for the sake of another."""
    order = sorted(range(len(prompts)), key=lambda number: len(prompts[number]))
    roomy = [number for number in order if decoding.room(prompts[number]) == decoding.max_new_tokens]
    for at in range(0, len(roomy), decoding.batch_size):
        yield roomy[at : at + decoding.batch_size]
    for number in order[len(roomy) :]:
        yield [number]


def _generate_batch(model: PreTrainedModel, prompts: Sequence[Sequence[int]], decoding: Decoding) -> list[list[int]]:
    longest = max(len(prompt) for prompt in prompts)
    room = decoding.room(max(prompts, key=len))
    if room < 1:
        return [[] for _ in prompts]
    ids_BT = torch.full((len(prompts), longest), decoding.pad_id, dtype=torch.long)
    mask_BT = torch.zeros_like(ids_BT)
    for row, prompt in enumerate(prompts):
        ids_BT[row, longest - len(prompt) :] = torch.tensor(list(prompt))
        mask_BT[row, longest - len(prompt) :] = 1
    with _settings(model, decoding.config(room)) as config:
        out_BT = model.generate(
            ids_BT.to(model.device), attention_mask=mask_BT.to(model.device), generation_config=config
        )
    rows: list[list[int]] = out_BT[:, longest:].tolist()
    return rows


def _finish(ids: Sequence[int], tokenizer: PreTrainedTokenizerBase, decoding: Decoding) -> Generation:
    ends = [place for place, number in enumerate(ids) if number in decoding.stop_ids]
    answer = list(ids[: ends[0]] if ends else ids)
    text = tokenizer.decode(answer, skip_special_tokens=True, clean_up_tokenization_spaces=False)
    return Generation(text=str(text), stopped=bool(ends), tokens=len(answer))
