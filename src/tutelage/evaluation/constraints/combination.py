"""Constraints on the answer as a whole: the prompt repeated first, two answers."""

from collections.abc import Mapping

from tutelage.evaluation.constraints.kinds import TEXT, Kind

_RULE = "******"


def repeat_prompt(answer: str, prompt_to_repeat: str) -> bool:
    """Whether an answer begins with the prompt, whatever its capitals."""
    return answer.strip().lower().startswith(prompt_to_repeat.strip().lower())


def two_responses(answer: str) -> bool:
    """Whether six stars (`******`) part an answer into exactly two that differ; nothing may stand before a leading
    rule or after a closing one."""
    parts = [part.strip() for part in answer.split(_RULE)]
    given = [part for part in parts if part]
    return all(parts[1:-1]) and len(given) == 2 and given[0] != given[1]


KINDS: Mapping[str, Kind] = {
    "combination:repeat_prompt": Kind(
        repeat_prompt, "the answer begins with the prompt, repeated: {prompt_to_repeat}", {"prompt_to_repeat": TEXT}
    ),
    "combination:two_responses": Kind(two_responses, f"the answer holds two answers, parted by {_RULE}", {}),
}
