"""The verb chat: talk with a model in the terminal, with the template that it was trained with."""

from collections.abc import Callable, Iterable

from tutelage.inference.generate import stream
from tutelage.recipe import Recipe, refuse_curation
from tutelage.records import Message
from tutelage.run.answering import load_for_answers
from tutelage.run.assemble import speech


def chat(recipe: Recipe, lines: Iterable[str], *, write: Callable[[str], None]) -> list[Message]:
    """Answer line by line, each with all turns before it; `/reset` forgets them, `/exit` ends.

    The oldest turns are left out when prompt and answer would not fit into the model's context.

    Args:
        lines: what the user types.
        write: gets the answers piece by piece.

    Returns:
        The turns since the last reset.
    """
    refuse_curation(recipe)
    spoken = speech(recipe)
    model = load_for_answers(recipe.model)
    limit = recipe.evaluate.max_new_tokens
    decoding = spoken.decoding(max_new_tokens=limit, batch_size=1)
    turns: list[Message] = []
    for line in lines:
        text = line.rstrip("\n")
        if text.strip() == "/exit":
            break
        if text.strip() == "/reset":
            turns = []
            continue
        if not text.strip():
            continue
        turns.append(Message("user", text))
        while len(prompt := spoken.prompt_of(turns)) + limit > spoken.max_length and len(turns) > 2:
            turns = turns[2:]
        answer = stream(model, spoken.tokenizer.wrapped, prompt=prompt, decoding=decoding, write=write)
        write("\n")
        turns.append(Message("assistant", answer.text))
    return turns
