"""An independent reading of what is trained: transformers' own chat templating, and runs of trained tokens."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from tests.small import Listening
from tutelage.recipe import Recipe
from tutelage.records import Example
from tutelage.run.assemble import Speech, speech
from tutelage.run.prepare import Prepared, prepare

Chat = list[dict[str, Any]]


def chat(*contents: str, system: str = "") -> Chat:
    """User and assistant in turn."""
    opening = [{"role": "system", "content": system}] if system else []
    turns = zip(("user", "assistant") * len(contents), contents, strict=False)
    return [*opening, *({"role": role, "content": text} for role, text in turns)]


def prepared_from(recipe: Recipe) -> tuple[Prepared, Speech]:
    spoken = speech(recipe)
    return prepare(recipe, spoken, terminal=Listening()), spoken


def examples_of(prepared: Prepared, row: int) -> list[Example]:
    return [prepared.store[int(number)] for number in np.flatnonzero(prepared.store.rows == row)]


def trained_runs(example: Example) -> list[tuple[int, int]]:
    """[start, end) of each run of trained tokens."""
    trained = np.concatenate([[0], (example.weights > 0).astype(int), [0]])
    edges = np.flatnonzero(np.diff(trained))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def server_prompt(spoken: Speech, messages: Chat, **arguments: Any) -> list[int]:
    """The ids that a server would feed the model, made by transformers itself from the template's source."""
    wrapped = spoken.tokenizer.wrapped
    text = wrapped.apply_chat_template(
        messages,
        chat_template=spoken.template.source,
        add_generation_prompt=True,
        tokenize=False,
        **{**spoken.template.arguments, **arguments},
    )
    return list(wrapped(text, add_special_tokens=False)["input_ids"])


def check_mask(prepared: Prepared, spoken: Speech, row: int, messages: Chat, **arguments: Any) -> list[str]:
    """Laws 2 and 3 for one row; returns the text of each trained turn as decoded."""
    answers = [n for n, message in enumerate(messages) if message["role"] == "assistant"]
    runs = [(example, *run) for example in examples_of(prepared, row) for run in trained_runs(example)]
    assert len(runs) == len(answers) > 0
    decode = spoken.tokenizer.backend.decode
    texts = []
    for turn, (example, start, end) in zip(answers, runs, strict=True):
        ids = example.token_ids.tolist()
        assert ids[:start] == server_prompt(spoken, messages[:turn], **arguments)
        assert ids[end - 1] in spoken.stop_ids
        assert not set(ids[start : end - 1]) & set(spoken.stop_ids)
        texts.append(decode([*ids[:start], *ids[start:end]])[len(decode(ids[:start])) :])
    return texts


def joint_ids(spoken: Speech, text: str) -> Sequence[int]:
    return spoken.tokenizer.backend.encode(text, add_special_tokens=False).ids
