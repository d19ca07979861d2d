"""The verb doctor: a chat template with a tokenizer, examined on the battery and checked against a server's prompts.

Each case goes down the data path. What comes out is compared, turn by turn, with ids that transformers makes alone
(`run/reference.py`), so that the check can fail: nothing of ours renders or encodes there.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, takewhile

from tokenizers import Tokenizer

from tutelage.errors import TemplateError
from tutelage.model.loading import served_stops
from tutelage.recipe import Recipe, refuse_curation
from tutelage.records import Dropped, Example, Message
from tutelage.run.assemble import Speech, speech
from tutelage.run.diagnosis import Diagnosis, Difference, Finding, Stops, Token
from tutelage.run.reference import Server
from tutelage.template import prompt, render_conversation, stop_tokens
from tutelage.template.battery import Case, battery
from tutelage.tokens.encode import encode

_UNBOUNDED = 1_000_000  # tokens: the length limit is the data's matter, not the template's
_SHOWN = 32  # characters of a text that are shown around a difference


def doctor(recipe: Recipe) -> Diagnosis:
    """Examine the template of a recipe. Needs a tokenizer and, to know where a server stops, a configuration.

    Raises:
        ModelError, TemplateError, RecipeError: tokenizer or template are missing or broken.
    """
    refuse_curation(recipe)
    spoken = speech(recipe)
    findings = tuple(diagnose(spoken))
    backend = spoken.tokenizer.backend
    answers = tuple(dict.fromkeys(stop for finding in findings for stop in finding.answer_stops))
    calls = tuple(dict.fromkeys(stop for finding in findings for stop in finding.call_stops))
    eos = spoken.tokenizer.wrapped.eos_token_id
    served = served_stops(recipe.model)
    return Diagnosis(
        model=recipe.model.name_or_path,
        tokenizer=f"{type(spoken.tokenizer.wrapped).__name__}, {backend.get_vocab_size():,} tokens",
        template=spoken.template.name,
        stops=Stops(
            answers=_tokens(answers, backend),
            calls=_tokens(calls, backend),
            eos=None if eos is None else _token(eos, backend),
            served=None if served is None else _tokens(served, backend),
        ),
        bos=_bos(spoken),
        findings=findings,
        notes=spoken.tokenizer.notes,
    )


def diagnose(spoken: Speech) -> Iterator[Finding]:
    """What comes of each case of the battery.

    Every assistant turn is trained, whatever `template.train_on` says: law 2 is about each of them.
    """
    policy = spoken.policy.model_copy(update={"train_on": "assistant"})
    spoken = replace(spoken, policy=policy, max_length=_UNBOUNDED)
    server = Server(spoken.tokenizer.wrapped, spoken.template.source, spoken.template.arguments)
    typed = (*stop_tokens(spoken.template), *sorted(spoken.tokenizer.control_tokens))[0]
    return (_examined(case, spoken, server=server) for case in battery(typed))


@dataclass(frozen=True, slots=True)
class _Trained:
    """A trained turn as it came out of the data path.

    Attributes:
        turn: number of its message.
        text: the training text through its stop.
        ids: of the example, from its first token through the turn's last.
        start: where the trained ids begin.
        first: it is the first trained turn of its example.
    """

    turn: int
    text: str
    ids: tuple[int, ...]
    start: int
    first: bool


def _examined(case: Case, spoken: Speech, *, server: Server) -> Finding:
    rendered = render_conversation(case.conversation, spoken.template, policy=spoken.policy)
    if isinstance(rendered, Dropped):
        return Finding(case.name, "refused", rendered.reason, rendered.detail)
    [outcome] = encode(rendered, spoken.tokenizer.backend, max_length=spoken.max_length)
    if isinstance(outcome, Dropped):
        return Finding(case.name, "refused", outcome.reason, outcome.detail)
    runs = [run for example in outcome.examples for run in _runs(example)]
    spans = [(one, span) for one in rendered for span in one.spans]
    answers = [n for n, message in enumerate(case.messages) if message.role == "assistant"]
    if len(runs) != len(spans) or [span.turn for _, span in spans] != answers:
        return Finding(case.name, "WRONG", faults=(f"{len(runs)} turns are trained of {len(answers)}",))
    trained = [
        _Trained(span.turn, one.text[: span.end], ids, start, first)
        for (one, span), (ids, start, first) in zip(spans, runs, strict=True)
    ]
    return _checked(case, trained, spoken=spoken, server=server, notes=outcome.notes)


def _runs(example: Example) -> Iterator[tuple[tuple[int, ...], int, bool]]:
    """(ids through the run, its first token, whether it is the first) of each run of trained tokens."""
    at, first = 0, True
    ids = tuple(example.token_ids.tolist())
    for trained, group in groupby(example.weights > 0):
        start, at = at, at + len(list(group))
        if trained:
            yield ids[:at], start, first
            first = False


def _checked(
    case: Case, trained: Sequence[_Trained], *, spoken: Speech, server: Server, notes: tuple[str, ...]
) -> Finding:
    """The finding on turns that were not refused: every one is held against the server."""
    requests = server.requests(case.conversation, spoken.policy)
    backend = spoken.tokenizer.backend
    faults, asked, transcript = list[str](), list[str](), None
    for one in trained:
        request = next((r for r in requests if server.prompt_ids(r, one.turn) == list(one.ids[: one.start])), None)
        if request is None:
            faults.append(_prompt_fault(one, server.prompt_ids(requests[0], one.turn), backend=backend))
        else:
            asked += request.asked
            transcript = transcript or _difference(one, server.transcript(request, one.turn))
        if one.ids[-1] not in spoken.stop_ids:
            faults.append(f"message {one.turn} ends in {_token(one.ids[-1], backend)}, where generation does not stop")
    faults += _content_faults(case, trained, backend=backend)
    merged = sum(one.first for one in trained) == 1
    return Finding(
        case=case.name,
        verdict="WRONG" if faults else "exact, merged" if merged else "exact, per turn",
        faults=tuple(faults),
        asked=tuple(dict.fromkeys(asked)),
        notes=notes,
        transcript=transcript,
        decoded=next((found for one in trained if (found := _difference(one, _decoded(one, backend)))), None),
        turns=len(trained),
        answer_stops=tuple(dict.fromkeys(one.ids[-1] for one in trained if not _calls(case, one.turn))),
        call_stops=tuple(dict.fromkeys(one.ids[-1] for one in trained if _calls(case, one.turn))),
    )


def _calls(case: Case, turn: int) -> bool:
    return bool(case.messages[turn].tool_calls)


def _prompt_fault(one: _Trained, served: list[int] | None, *, backend: Tokenizer) -> str:
    """The first token at which training leaves the prompt of the usual request."""
    if served is None:
        return f"message {one.turn}: transformers cannot render the prompt that training was given"
    seen = list(one.ids[: one.start])
    at = len(list(takewhile(lambda pair: pair[0] == pair[1], zip(seen, served, strict=False))))
    training, inference = (backend.decode(ids[at : at + 8], skip_special_tokens=False) for ids in (seen, served))
    return f"message {one.turn}, token {at}: training sees {training!r}, inference {inference!r}"


def _difference(one: _Trained, transcript: str | None) -> Difference | None:
    if transcript is None or transcript.startswith(one.text):
        return None
    at = len(list(takewhile(lambda pair: pair[0] == pair[1], zip(one.text, transcript, strict=False))))
    ahead = slice(at, at + _SHOWN)
    return Difference(one.turn, at, one.text[max(0, at - _SHOWN) : at], one.text[ahead], transcript[ahead])


def _decoded(one: _Trained, backend: Tokenizer) -> str:
    return str(backend.decode(list(one.ids), skip_special_tokens=False))


def _content_faults(case: Case, trained: Sequence[_Trained], *, backend: Tokenizer) -> list[str]:
    """Answers that are trained other than once, and other people's words that are trained at all.

    Read off the decoded trained ids. Decoders may change white space, so none is looked at; where they lose more than
    that (characters that the tokenizer does not know), nothing can be read off.
    """
    if any(_squeezed(_decoded(one, backend)) != _squeezed(one.text) for one in trained):
        return []
    whole = _squeezed("".join(backend.decode(list(one.ids[one.start :]), skip_special_tokens=False) for one in trained))
    faults = []
    for n, message in enumerate(case.messages):
        wanted = message.role == "assistant"
        for words in filter(None, _words(message)):
            times = whole.count(_squeezed(words))
            if times != wanted:
                faults.append(f"message {n}: {words[:_SHOWN]!r} of the {message.role} is trained {times} times")
    return faults


def _squeezed(text: str) -> str:
    return "".join(text.split())


def _words(message: Message) -> list[str]:
    """What a message says, and what its calls pass on."""
    arguments = [call.arguments for call in message.tool_calls if not isinstance(call.arguments, str)]
    passed = [value for mapping in arguments for value in mapping.values() if isinstance(value, str)]
    return [message.content.strip(), *passed]


def _bos(spoken: Speech) -> str:
    """Who writes the bos token: the template, the tokenizer where it adds special tokens, both, or nobody."""
    bos = spoken.tokenizer.special_tokens.get("bos_token")
    if bos is None:
        return "none: the tokenizer has no bos token"
    wrapped = spoken.tokenizer.wrapped
    added = wrapped("a")["input_ids"][:1] == [wrapped.bos_token_id]
    if _written(bos, spoken):
        also = "; the tokenizer would add another: only the template's is used" if added else ""
        return f"{bos}, written by the template{also}"
    who = "the tokenizer adds it to plain text only" if added else "the tokenizer does not add it either"
    return f"none: the template does not write {bos}, and {who}"


def _written(bos: str, spoken: Speech) -> bool:
    """Whether the template begins a conversation with the bos token; not where it raises on a plain question."""
    try:
        return prompt((Message("user", "a"),), spoken.template, policy=spoken.policy).startswith(bos)
    except TemplateError:
        return False


def _tokens(ids: Sequence[int], backend: Tokenizer) -> tuple[Token, ...]:
    return tuple(_token(number, backend) for number in ids)


def _token(number: int, backend: Tokenizer) -> Token:
    return Token(backend.id_to_token(number) or "unknown to the tokenizer", number)
