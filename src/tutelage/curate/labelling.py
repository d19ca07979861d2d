"""Labels of rows by a model behind an endpoint, where rules are not enough: the taxonomy's own names, or none.

A reply that names something else on an axis, or nothing, leaves that axis to the rules, and is counted. A label that a
row brings along in a column of its own wins over both.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tutelage.curate.sample import Sample
from tutelage.curate.taxonomy import AXES, UNKNOWN, Labels, label, names
from tutelage.endpoint import Decoding, Endpoint, Messages
from tutelage.prompt import conclusion, prompt

_PROMPTS = Path(__file__).parent / "prompts"
_DECODING = Decoding(max_tokens=256, temperature=0.0)
_SHOWN = 4_000  # characters from the start of prompt and answer each; what kind of task it is stands there


@dataclass(frozen=True, slots=True)
class EndpointLabels:
    """A `taxonomy.Labeller` that knows what a model said of some rows; of others it knows what the rules say.

    Attributes:
        told: sample -> axis -> label, for the axes on which the model gave a label of the taxonomy.
        unknown: why the rules decided -> on how many rows; by axis where only that axis was unknown.
    """

    told: Mapping[Sample, Mapping[str, str]]
    unknown: Mapping[str, int]

    def __call__(self, sample: Sample, columns: Mapping[str, Any] | None = None) -> Labels:
        """The labels of a row: its own, else the model's, else those of the rules (see `taxonomy.label`)."""
        rules, told = label(sample, columns), self.told.get(sample, {})
        given = [name for name, value in (columns or {}).items() if isinstance(value, str) and value.strip()]
        own = {name.removeprefix("task_") for name in given}
        kept = {axis: name for axis, name in told.items() if axis not in own}
        if "subtype" not in own and kept.get("type", rules.type) != rules.type:
            kept["subtype"] = UNKNOWN  # the rules refined another type
        return replace(rules, **kept)


def asked_labels(samples: Sequence[Sample], endpoint: Endpoint, *, cache: Path) -> EndpointLabels:
    """Ask an endpoint for the type, domain, difficulty and style of rows.

    Args:
        cache: folder of the replies that are known already.

    Raises:
        RecipeError: the endpoint cannot be used (see `Endpoint.replies`).
        DataError: the cache cannot be read or written.
    """
    told, unknown = dict[Sample, dict[str, str]](), Counter[str]()
    for place, reply in endpoint.replies([*map(_messages, samples)], cache=cache, decoding=_DECODING):
        fields = conclusion(reply.text, key=AXES[0])
        if fields is None:
            unknown[reply.failure or "a reply of no known form"] += 1
            continue
        told[samples[place]] = {axis: name for axis in AXES if (name := _name(fields.get(axis))) in names(axis)}
        unknown.update(f"no {axis} of the taxonomy" for axis in AXES if axis not in told[samples[place]])
    return EndpointLabels(told, unknown)


def _name(given: object) -> str:
    return given.strip().casefold() if isinstance(given, str) else ""


def _messages(sample: Sample) -> Messages:
    known = {axis: ", ".join(names(axis)) for axis in AXES}
    texts = {"prompt": sample.prompt[:_SHOWN], "answer": sample.answer[:_SHOWN]}
    return prompt(_PROMPTS / f"labels_{'zh' if sample.language == 'zh' else 'en'}.txt").messages(texts, **known)
