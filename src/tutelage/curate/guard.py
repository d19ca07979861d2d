"""A guard model behind an endpoint (OpenAI-compatible chat completions) says of each row whether it is safe.

Two documented forms of reply are read, and nothing else. Llama Guard: `safe`, or `unsafe` and a line of categories.
Qwen3Guard: `Safety: Safe | Controversial | Unsafe`, `Categories: ...`, and perhaps `Refusal: Yes | No`. A reply of
another form, and a request that failed, is "unknown": it counts neither as safe nor as unsafe.

Verdicts are kept in a file of the cache folder as they come in, under a hash of the model and what was judged, so an
interrupted pass goes on where it stopped. Unknown ones are not kept: the next pass asks again.
"""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from hashlib import blake2b
from http.client import HTTPException
from pathlib import Path
from threading import Event
from typing import Any, BinaryIO, Literal, get_args
from urllib.error import HTTPError
from urllib.request import HTTPRedirectHandler, Request, build_opener

import orjson

from tutelage.curate.sample import Sample
from tutelage.errors import DataError, RecipeError

Rating = Literal["safe", "controversial", "unsafe", "unknown"]

HOPELESS = 20  # requests in a row that failed: then the others are not sent
_MISTAKEN = {401: "the key is refused", 403: "the key is refused", 404: "no such address or model"}
_TRANSIENT = {408, 409, 425, 429}  # besides those from 500 on
_LONGEST_REPLY = 1 << 20  # bytes
_FIELD = re.compile(r"(Safety|Categories|Refusal): *(\S.*)")
_CATEGORIES = re.compile(r"[^\W_][^,:]{0,60}(?:, ?[^\W_][^,:]{0,60})*")

Messages = list[dict[str, str]]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the guard said of a row.

    Attributes:
        categories: as the guard names them (`S1`, `Violent`); empty for safe rows.
        reason: why a verdict is unknown.
    """

    rating: Rating
    categories: tuple[str, ...] = ()
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Guard:
    """An endpoint and how it is asked.

    Attributes:
        url: of the API (`http://localhost:8000/v1`), with or without `/chat/completions`.
        model: name of the guard model there.
        key_variable: environment variable that holds the key; None where no key is needed.
        timeout: seconds that one request may take.
        retries: how often a failed request is sent again; after 1, 2, 4, ... times `backoff` seconds.
        concurrency: requests at a time.
    """

    url: str
    model: str
    key_variable: str | None = None
    timeout: float = 60.0
    retries: int = 3
    concurrency: int = 4
    backoff: float = 1.0

    def judge(self, samples: Sequence[Sample], *, cache: Path) -> list[Verdict]:
        """A verdict for each sample, in their order. All turns are sent; guard models judge the last of them.

        Args:
            cache: folder of the verdicts that are known already.

        Raises:
            RecipeError: the key's variable is not set, the endpoint refuses the key, or it knows no such model.
            DataError: the cache cannot be read or written.
        """
        request = self._request()
        messages = {self._digest(one): one for one in map(_messages, samples)}
        keys = [self._digest(_messages(one)) for one in samples]
        try:
            cache.mkdir(parents=True, exist_ok=True)
            with open(cache / "guard.jsonl", "a+b") as file:
                verdicts = _kept(file)
                missing = {key: one for key, one in messages.items() if key not in verdicts}
                for key, verdict in self._answers(missing, request):
                    verdicts[key] = verdict
                    _keep(file, key, verdict)
        except OSError as error:
            found = f"the guard's verdicts cannot be kept: {error.strerror}"
            raise DataError(found, code="cannot-write", place=str(cache)) from None
        return [verdicts[key] for key in keys]

    def _digest(self, messages: Messages) -> str:
        return blake2b(orjson.dumps([self.model, messages]), digest_size=16).hexdigest()

    def _request(self) -> Request:
        """A request that lacks only its body."""
        url = self.url.rstrip("/").removesuffix("/chat/completions") + "/chat/completions"
        if not re.match(r"https?://[^\s/]", url):
            raise RecipeError(f"the guard's url is {self.url!r}", code="recipe-value", expected="http(s)://HOST/v1")
        headers = {"Content-Type": "application/json"}
        if self.key_variable is not None:
            key = os.environ.get(self.key_variable, "").strip()
            if not key:
                found = f"the environment variable {self.key_variable} is not set"
                raise RecipeError(found, code="recipe-value", expected="the guard's key in it")
            headers["Authorization"] = f"Bearer {key}"
        return Request(url, headers=headers, method="POST")

    def _answers(self, missing: Mapping[str, Messages], request: Request) -> Iterator[tuple[str, Verdict]]:
        """Verdicts as they come in. After many failures in a row the rest is given up."""
        failed, stop = 0, Event()
        with ThreadPoolExecutor(self.concurrency) as pool:
            left = {pool.submit(self._ask, one, request, stop): key for key, one in missing.items()}
            try:
                for future in as_completed(list(left)):
                    verdict = future.result()
                    failed = failed + 1 if verdict.rating == "unknown" and verdict.reason != _UNREADABLE else 0
                    yield left.pop(future), verdict
                    if failed == HOPELESS:
                        break
            finally:  # also where the pass is interrupted: nothing more is sent
                stop.set()
                pool.shutdown(cancel_futures=True)
        for future, key in left.items():
            yield key, _NOT_ASKED if future.cancelled() else future.result()

    def _ask(self, messages: Messages, request: Request, stop: Event) -> Verdict:
        body = orjson.dumps({"model": self.model, "messages": messages, "temperature": 0, "max_tokens": 128})
        sent = Request(request.full_url, data=body, headers=dict(request.header_items()), method="POST")
        reason = ""
        for attempt in range(self.retries + 1):
            if attempt and stop.wait(self.backoff * 2 ** (attempt - 1)):
                break
            try:
                with _OPENER.open(sent, timeout=self.timeout) as response:
                    return parsed(_content(response.read(_LONGEST_REPLY)))
            except HTTPError as error:
                error.close()
                if error.code in _MISTAKEN:
                    raise self._mistaken(error.code) from None
                reason = f"HTTP {error.code}"
                if error.code < 500 and error.code not in _TRANSIENT:
                    break
            except (OSError, HTTPException, ValueError) as error:  # no connection, cut off, no JSON
                reason = _told(error)
        return Verdict("unknown", reason=reason)

    def _mistaken(self, status: int) -> RecipeError:
        return RecipeError(
            f"the guard answers HTTP {status}: {_MISTAKEN[status]}",
            code="recipe-value",
            place=self.url,
            expected=f"an endpoint that serves {self.model}",
            remedy="check the url, the model's name and the key's environment variable",
        )


class _SameAddress(HTTPRedirectHandler):
    """A redirected request would carry the key to another host."""

    def redirect_request(self, *_: Any) -> None:
        return None


_OPENER = build_opener(_SameAddress)
_UNREADABLE = "a reply of no known form"
_NOT_ASKED = Verdict("unknown", reason=f"not asked: {HOPELESS} requests in a row had failed")


def parsed(reply: str) -> Verdict:
    """What a reply says, or "unknown" where it has none of the documented forms."""
    lines = [line.strip() for line in reply.strip().splitlines() if line.strip()]
    fields = {match[1]: match[2] for line in lines if (match := _FIELD.fullmatch(line))}
    if fields and len(fields) == len(lines):
        return _verdict(fields.get("Safety", ""), fields.get("Categories", "None"))
    if 1 <= len(lines) <= 2:
        return _verdict(lines[0] if lines[0] in ("safe", "unsafe") else "", lines[1] if len(lines) == 2 else "None")
    return Verdict("unknown", reason=_UNREADABLE)


def _verdict(rating: str, categories: str) -> Verdict:
    names = () if categories == "None" else tuple(name.strip() for name in categories.split(","))
    for known in get_args(Rating)[:3]:
        if rating.lower() == known and (not names or (known != "safe" and _CATEGORIES.fullmatch(categories))):
            return Verdict(known, names)
    return Verdict("unknown", reason=_UNREADABLE)


def _messages(sample: Sample) -> Messages:
    if not sample.prompts:
        return [{"role": "user", "content": sample.answer}]
    turns = zip(sample.prompts, sample.answers, strict=True)
    both = [turn for asked, said in turns for turn in (("user", asked), ("assistant", said))]
    return [{"role": role, "content": content} for role, content in both if content]


def _content(body: bytes) -> str:
    """The text of the first choice. ValueError where there is none."""
    match orjson.loads(body):
        case {"choices": [{"message": {"content": str(content)}}, *_]}:
            return content
    raise ValueError("no choices[0].message.content")


def _told(error: Exception) -> str:
    """The kind of failure only: what a server wrote may repeat what it was sent."""
    if isinstance(error, ValueError):
        return "a reply that is no chat completion"
    cause = error.args[0] if error.args and isinstance(error.args[0], Exception) else error
    return f"no reply: {type(cause).__name__}"


def _kept(file: BinaryIO) -> dict[str, Verdict]:
    """The verdicts in a cache file. A last line that a killed pass left half written is cut off."""
    file.seek(0)
    content = file.read()
    whole = content.rfind(b"\n") + 1
    if whole < len(content):
        file.truncate(whole)
    try:
        entries = [orjson.loads(line) for line in content[:whole].splitlines()]
        return {one["key"]: Verdict(one["rating"], tuple(one["categories"])) for one in entries}
    except (ValueError, KeyError, TypeError):
        found, remedy = "this is not a cache of verdicts", "remove the file, or name another folder"
        raise DataError(found, code="unreadable-file", place=str(file.name), remedy=remedy) from None


def _keep(file: BinaryIO, key: str, verdict: Verdict) -> None:
    if verdict.rating != "unknown":
        entry = {"key": key, "rating": verdict.rating, "categories": verdict.categories}
        file.write(orjson.dumps(entry, option=orjson.OPT_APPEND_NEWLINE))
        file.flush()
