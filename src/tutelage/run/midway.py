"""Suites asked while a model trains: the same prompts and the same greedy decoding as before and after."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch

from tutelage.evaluation.comparison import Comparison
from tutelage.evaluation.suite import Suite, by_number
from tutelage.inference.generate import generate
from tutelage.model import attention
from tutelage.model.causal_lm import CausalLM
from tutelage.recipe import EvaluateSection
from tutelage.run.assemble import Speech


@dataclass(frozen=True)
class Midway:
    """Asks a model that is being trained. It draws no random number and changes no weight."""

    suites: Sequence[Suite]
    spoken: Speech
    section: EvaluateSection

    def __call__(self, language_model: CausalLM) -> dict[str, float]:
        """Name of the suite -> mean score of the model as it stands."""
        decoding = self.spoken.decoding(max_new_tokens=self.section.max_new_tokens, batch_size=self.section.batch_size)
        prompts = [self.spoken.prompt(item.question) for suite in self.suites for item in suite.items]
        with _answering(language_model):
            answers = generate(language_model.model, self.spoken.tokenizer.wrapped, prompts=prompts, decoding=decoding)
        scores = {}
        for name, part in by_number({suite.name: len(suite.items) for suite in self.suites}):
            suite = next(one for one in self.suites if one.name == name)
            comparison = Comparison(suite, ("now",), {"now": answers[part]})
            scores[name] = round(comparison.mean("now").value, 4)
        return scores


@contextmanager
def _answering(language_model: CausalLM) -> Iterator[None]:
    """Attention as the model itself has it, since ours needs to know the rows; then training goes on as before."""
    model, dtype = language_model.model, language_model.compute_dtype
    used = attention.name_of(model)
    if used == attention.NAME:
        attention.switch(model, "sdpa")
    try:
        with torch.autocast(language_model.device.type, dtype, enabled=dtype != torch.float32):
            yield
    finally:
        if used == attention.NAME:
            attention.switch(model, used)
        model.train()
