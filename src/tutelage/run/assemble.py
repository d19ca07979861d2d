"""Tokenizer, template, stop tokens and length limit of a recipe: what both training and inference speak."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from tutelage import template as templates
from tutelage.errors import RecipeError, TemplateError
from tutelage.inference.generate import Decoding
from tutelage.model import loading
from tutelage.recipe import Recipe, TemplateSection
from tutelage.records import Message, Question
from tutelage.template import ChatTemplate
from tutelage.tokens.encode import prompt_ids

DEFAULT_LENGTH = 2048


@dataclass(frozen=True)
class Speech:
    """How conversations become ids and answers become text.

    Attributes:
        max_length: longest sequence in tokens, in training.
        context: positions that the model was made for, where its configuration says so.
    """

    tokenizer: loading.TokenizerFacts
    template: ChatTemplate
    policy: TemplateSection
    max_length: int
    context: int | None

    @cached_property
    def stop_ids(self) -> tuple[int, ...]:
        """Ids at which generation stops: the template's end of turn and the tokenizer's own end."""
        ids = [self.tokenizer.backend.token_to_id(text) for text in templates.stop_tokens(self.template)]
        return tuple(dict.fromkeys(number for number in ids if number is not None))

    def prompt(self, question: Question) -> list[int]:
        """The ids of a question's generation prompt."""
        reasoning = question.reasoning and self.policy.train_reasoning
        text = templates.prompt(
            question.messages, self.template, policy=self.policy, tools=question.tools, reasoning=reasoning
        )
        return prompt_ids(text, self.tokenizer.backend)

    def prompt_of(self, messages: Sequence[Message]) -> list[int]:
        """The ids of the generation prompt after these messages."""
        return prompt_ids(templates.prompt(messages, self.template, policy=self.policy), self.tokenizer.backend)

    def decoding(self, *, max_new_tokens: int, batch_size: int) -> Decoding:
        """Greedy decoding that stops where training stopped."""
        return Decoding(max_new_tokens, batch_size, self.stop_ids, self.tokenizer.pad_id, self.context)


def speech(recipe: Recipe) -> Speech:
    """Load the tokenizer and the template of a recipe.

    Raises:
        ModelError, TemplateError, RecipeError: a part is missing, broken, or does not fit.
    """
    tokenizer = loading.load_tokenizer(recipe.model, new_tokens=recipe.tokens.new_tokens)
    template = templates.load(
        recipe.template.name,
        tokenizer.chat_template,
        special_tokens=tokenizer.special_tokens,
        control_tokens=tokenizer.control_tokens,
        arguments=recipe.template.arguments,
    )
    context = loading.context_length(recipe.model)
    made = Speech(tokenizer, template, recipe.template, _max_length(recipe, context), context)
    if not made.stop_ids:
        raise TemplateError(
            "generation would never stop: neither template nor tokenizer has an end token",
            code="no-end-token",
            place=template.name,
            expected="an eos_token in the tokenizer",
        )
    return made


def _max_length(recipe: Recipe, context: int | None) -> int:
    wanted = recipe.tokens.max_length
    if wanted is None:
        return min(context or DEFAULT_LENGTH, DEFAULT_LENGTH)
    if context is not None and wanted > context:
        raise RecipeError(
            f"tokens.max_length is {wanted}, the model was made for {context} tokens",
            code="recipe-value",
            expected=f"at most {context}",
            remedy=f"--set tokens.max_length={context}",
        )
    return wanted
