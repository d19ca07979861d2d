"""How a judge is asked: the prompt in the language of the question, and the texts as data."""

from collections.abc import Mapping
from pathlib import Path

from tutelage.endpoint import Decoding, Reply
from tutelage.prompt import Prompt, prompt
from tutelage.text import language

DECODING = Decoding(max_tokens=4096, temperature=0.0)  # room for judges that think first

_PROMPTS = Path(__file__).parent / "prompts"


def prompt_for(task: str, question: str) -> Prompt:
    """The prompt of a task (`pairwise`, `graded`): the Chinese one for a question in Chinese, else the English one."""
    return prompt(_PROMPTS / f"{task}_{'zh' if language(question) == 'zh' else 'en'}.txt")


def shown(question: str, answers: Mapping[str, str], *, reference: str) -> dict[str, str]:
    """The texts under judgement by the names that the prompts use; an empty reference is none."""
    texts = {"question": question, **answers}
    return texts | {"reference": reference} if reference else texts


def why_unread(reply: Reply) -> str:
    """Why a reply tells nothing: its request failed, or it has not the form that was asked for."""
    return reply.failure or "a reply of no known form"
