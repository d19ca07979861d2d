"""Generation: a batch says what each prompt alone would, it stops where training stopped, and nothing else decides."""

from pathlib import Path

import pytest
import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from tests.architectures import tiny
from tutelage.inference.generate import Decoding, generate, stream
from tutelage.model.loading import load_model, load_tokenizer
from tutelage.recipe import ModelSection
from tutelage.records import Generation

PROMPTS = [
    "The river",
    "Say it again, please; she said it twice.",
    "A",
    "猫在阳光下睡觉。这个岛",
    "12 plus 30 is",
    "The river",
]


@pytest.fixture(scope="module")
def loaded(tiny_model: Path) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """A random model whose answers differ: its weights are blown up so that attention chooses."""
    section = ModelSection(name_or_path=str(tiny_model))
    model = load_model(section, dtype=torch.float32)
    with torch.no_grad():
        for weight in model.parameters():
            weight *= 6 if weight.dim() == 2 else 1
    return model, load_tokenizer(section).wrapped


def ids_of(tokenizer: PreTrainedTokenizerBase) -> list[list[int]]:
    return [list(tokenizer(prompt, add_special_tokens=False)["input_ids"]) for prompt in PROMPTS]


def by_hand(model: PreTrainedModel, prompt: list[int], steps: int) -> list[int]:
    """Greedy decoding without a cache, a full forward pass per token."""
    ids = list(prompt)
    with torch.no_grad():
        for _ in range(steps):
            ids.append(int(model(torch.tensor([ids])).logits[0, -1].argmax()))
    return ids[len(prompt) :]


def test_a_batch_says_what_each_prompt_alone_would(loaded) -> None:
    model, tokenizer = loaded
    prompts = ids_of(tokenizer)
    assert len({len(prompt) for prompt in prompts}) > 3, "prompts of a batch are padded"
    for stop_ids in ((), (by_hand(model, prompts[1], 6)[4],)):
        alone = generate(model, tokenizer, prompts=prompts, decoding=Decoding(12, 1, stop_ids, 1))
        for size in (2, 6):
            done: dict[int, Generation] = {}
            decoding = Decoding(12, size, stop_ids, pad_id=1)
            assert generate(model, tokenizer, prompts=prompts, decoding=decoding, done=done.update) == alone
            assert [done[number] for number in range(len(prompts))] == alone
        assert len({answer.text for answer in alone}) > 3
        assert alone[0] == alone[5]


def test_answers_are_greedy_and_end_at_the_first_stop(loaded) -> None:
    model, tokenizer = loaded
    prompts = ids_of(tokenizer)
    ends = set()
    for prompt in prompts:
        free = by_hand(model, prompt, 12)
        stop = free[5]
        (answer,) = generate(model, tokenizer, prompts=[prompt], decoding=Decoding(12, 4, (stop,), pad_id=1))
        kept = free[: free.index(stop)]
        assert (answer.stopped, answer.tokens) == (True, len(kept))
        assert answer.text == tokenizer.decode(kept, skip_special_tokens=True)
        ends.add(answer.tokens)
        (unstopped,) = generate(model, tokenizer, prompts=[prompt], decoding=Decoding(4, 4, (), pad_id=1))
        assert (unstopped.stopped, unstopped.tokens) == (False, 4)
        assert unstopped.text == tokenizer.decode(free[:4], skip_special_tokens=True)
    assert max(ends) == 5


def test_nothing_is_taken_from_the_models_own_settings(loaded) -> None:
    """A base that ships a repetition penalty, sampling or a minimal length is asked greedily all the same."""
    model, tokenizer = loaded
    prompts = ids_of(tokenizer)
    decoding = Decoding(12, 3, (by_hand(model, prompts[1], 3)[2],), pad_id=1)
    expected = generate(model, tokenizer, prompts=prompts, decoding=decoding)
    own = model.generation_config
    changes = {"repetition_penalty": 5.0, "min_new_tokens": 9, "do_sample": True, "temperature": 3.0, "num_beams": 2}
    own.update(**changes, no_repeat_ngram_size=2, suppress_tokens=[prompts[0][0]], eos_token_id=[5, 6, 7])
    assert generate(model, tokenizer, prompts=prompts, decoding=decoding) == expected
    assert model.generation_config is own
    assert own.repetition_penalty == 5.0, "the model keeps its settings"


def test_a_stream_is_the_same_answer_in_pieces(loaded) -> None:
    model, tokenizer = loaded
    prompt = ids_of(tokenizer)[1]
    decoding = Decoding(12, 1, (by_hand(model, prompt, 9)[8],), pad_id=1)
    (expected,) = generate(model, tokenizer, prompts=[prompt], decoding=decoding)
    pieces: list[str] = []
    answer = stream(model, tokenizer, prompt=prompt, decoding=decoding, write=pieces.append)
    assert answer == expected
    assert "".join(pieces).startswith(expected.text.rstrip("\ufffd"))
    assert len(pieces) > 1


def test_an_answer_ends_where_the_context_ends() -> None:
    """Learned positions end: a prompt near the end gets a short answer, one that fills the context none."""
    model = tiny("gpt2")
    decoding = Decoding(20, 3, (), pad_id=0, context=128)
    prompts = [list(torch.randint(4, 100, (length,)).tolist()) for length in (5, 120, 127, 128, 140, 7)]
    tokenizer = Letters()
    answers = generate(model, tokenizer, prompts=prompts, decoding=decoding)
    assert [answer.tokens for answer in answers] == [20, 8, 1, 0, 0, 20]
    assert not any(answer.stopped for answer in answers)
    short = generate(model, tokenizer, prompts=[prompts[0]], decoding=decoding)
    assert short == answers[:1], "a long prompt takes nothing from the others"
    endless = Decoding(20, 3, (), pad_id=0)
    with pytest.raises(IndexError):
        generate(model, tokenizer, prompts=prompts[1:2], decoding=endless)


class Letters:
    """Decodes ids as numbers: a tokenizer for models that have none."""

    def decode(self, ids: list[int], **_: object) -> str:
        return " ".join(map(str, ids))


def test_no_prompts_no_answers(loaded) -> None:
    model, tokenizer = loaded
    assert generate(model, tokenizer, prompts=[], decoding=Decoding(4, 2, (), pad_id=1)) == []
