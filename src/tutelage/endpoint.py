"""A model behind an endpoint (OpenAI-compatible chat completions): many questions, and replies as they come.

Replies are kept in a file of a cache folder as they come in, under a hash of the request (model, messages, decoding),
so an interrupted pass goes on where it stopped and asks only for what is missing. A request that failed gives a reply
that says why; it is not kept, so the next pass asks again.
"""

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from hashlib import blake2b
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from threading import Event
from time import monotonic
from typing import Any, BinaryIO
from urllib.error import HTTPError
from urllib.request import HTTPRedirectHandler, Request, build_opener

import orjson

from tutelage.errors import DataError, RecipeError

HOPELESS = 20  # requests in a row that failed: then the others are not sent
LONGEST = 1 << 20  # bytes of a request, and of a reply
CACHE = "replies.jsonl"

_MISTAKEN = {401: "the key is refused", 403: "the key is refused", 404: "no such address or model"}
_TRANSIENT = {408, 409, 425, 429}  # besides those from 500 on
_KEY = re.compile(r"[!-~]+")

Messages = Sequence[Mapping[str, str]]
"""Turns of a chat, each with `role` and `content`."""


@dataclass(frozen=True, slots=True)
class Decoding:
    """How a reply is drawn: at most `max_tokens` tokens, at `temperature` (0: always the likeliest)."""

    max_tokens: int = 1024
    temperature: float = 0.0


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back: `text`, or, where nothing did, `failure`: why."""

    text: str = ""
    failure: str = ""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An endpoint and how it is asked.

    Attributes:
        url: of the API (`http://localhost:8000/v1`), with or without `/chat/completions`.
        model: its name there.
        key_variable: environment variable that holds the key; None where no key is needed.
        timeout: seconds without a sign of the endpoint, and seconds that a reply may take to come in.
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

    def replies(
        self,
        asked: Sequence[Messages],
        *,
        cache: Path,
        decoding: Decoding | None = None,
        keeps: Callable[[str], bool] | None = None,
    ) -> Iterator[tuple[int, Reply]]:
        """The place of each question in `asked` with its reply: first what is known already, then as replies come.

        The same question is sent once. After `HOPELESS` failures in a row the rest is not sent; a question longer than
        `LONGEST` never is.

        Args:
            cache: folder of the replies that are known already.
            decoding: `Decoding()` where None.
            keeps: which texts are worth keeping; for the others the next pass asks again. All, where None.

        Raises:
            RecipeError: the url or the key cannot be used, the endpoint refuses the key, or knows no such model.
            DataError: the cache cannot be read or written (while replies come).
        """
        request, places = self._request(), dict[bytes, list[int]]()
        refused = list[tuple[int, Reply]]()
        for place, messages in enumerate(asked):
            body, reason = self._body(messages, decoding or Decoding())
            if reason:
                refused.append((place, Reply(failure=reason)))
            else:
                places.setdefault(body, []).append(place)
        found = self._found(list(places), request, cache=cache, keeps=keeps)
        return _placed(refused, found, places=places)

    def _body(self, messages: Messages, decoding: Decoding) -> tuple[bytes, str]:
        """The request's body, or why it cannot be sent."""
        settings = {"temperature": decoding.temperature, "max_tokens": decoding.max_tokens}
        try:
            body = orjson.dumps({"model": self.model, "messages": messages, **settings})
        except orjson.JSONEncodeError:
            return b"", "not asked: its text is not valid Unicode"
        return body, f"not asked: longer than {LONGEST:,} bytes" if len(body) > LONGEST else ""

    def _request(self) -> Request:
        """A request that lacks only its body."""
        url = self.url.rstrip("/").removesuffix("/chat/completions") + "/chat/completions"
        if not re.fullmatch(r"https?://[^\s/]\S*", url) or not url.isascii():
            raise RecipeError(f"the endpoint's url is {self.url!r}", code="recipe-value", expected="http(s)://HOST/v1")
        headers = {"Content-Type": "application/json"}
        if self.key_variable is not None:
            key = os.environ.get(self.key_variable, "").strip()
            if not _KEY.fullmatch(key):
                state = "holds characters that no key has" if key else "is not set"
                found = f"the environment variable {self.key_variable} {state}"
                raise RecipeError(found, code="recipe-value", expected="the endpoint's key in it")
            headers["Authorization"] = f"Bearer {key}"
        return Request(url, headers=headers, method="POST")

    def _found(
        self, bodies: Sequence[bytes], request: Request, *, cache: Path, keeps: Callable[[str], bool] | None
    ) -> Iterator[tuple[bytes, Reply]]:
        """A reply for each body: from the cache, or asked for and then kept."""
        try:
            cache.mkdir(parents=True, exist_ok=True)
            with open(cache / CACHE, "a+b") as file:
                known, keys = _kept(file), {body: blake2b(body, digest_size=16).hexdigest() for body in bodies}
                yield from ((body, Reply(known[key])) for body, key in keys.items() if key in known)
                for body, reply in self._asked([body for body, key in keys.items() if key not in known], request):
                    if not reply.failure and (keeps is None or keeps(reply.text)):
                        entry = {"key": keys[body], "model": self.model, "text": reply.text}
                        file.write(orjson.dumps(entry, option=orjson.OPT_APPEND_NEWLINE))
                        file.flush()
                    yield body, reply
        except OSError as error:
            found = f"the endpoint's replies cannot be kept: {error.strerror}"
            raise DataError(found, code="cannot-write", place=str(cache)) from None

    def _asked(self, bodies: Sequence[bytes], request: Request) -> Iterator[tuple[bytes, Reply]]:
        """Replies as they come in. After many failures in a row the rest is given up."""
        failed, stop = 0, Event()
        with ThreadPoolExecutor(self.concurrency) as pool:
            left = {pool.submit(self._ask, body, request, stop): body for body in bodies}
            try:
                for future in as_completed(list(left)):
                    reply = future.result()
                    failed = failed + 1 if reply.failure else 0
                    yield left.pop(future), reply
                    if failed == HOPELESS:
                        break
            finally:  # also where the pass is interrupted: nothing more is sent
                stop.set()
                pool.shutdown(cancel_futures=True)
        for future, body in left.items():
            yield body, _NOT_ASKED if future.cancelled() else future.result()

    def _ask(self, body: bytes, request: Request, stop: Event) -> Reply:
        sent = Request(request.full_url, data=body, headers=dict(request.header_items()), method="POST")
        failure = ""
        for attempt in range(self.retries + 1):
            if attempt and stop.wait(self.backoff * 2 ** (attempt - 1)):
                break
            try:
                with _OPENER.open(sent, timeout=self.timeout) as response:
                    return Reply(_content(_received(response, self.timeout)))
            except HTTPError as error:
                error.close()
                if error.code in _MISTAKEN:
                    raise self._mistaken(error.code) from None
                failure = f"HTTP {error.code}"
                if error.code < 500 and error.code not in _TRANSIENT:
                    break
            except (OSError, HTTPException, ValueError) as error:  # no connection, cut off, no JSON
                failure = _told(error)
        return Reply(failure=failure)

    def _mistaken(self, status: int) -> RecipeError:
        return RecipeError(
            f"the endpoint answers HTTP {status}: {_MISTAKEN[status]}",
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
_NOT_ASKED = Reply(failure=f"not asked: {HOPELESS} requests in a row had failed")


def _placed(
    refused: Sequence[tuple[int, Reply]], found: Iterator[tuple[bytes, Reply]], *, places: Mapping[bytes, list[int]]
) -> Iterator[tuple[int, Reply]]:
    """Each reply at all the places where its question stands."""
    yield from refused
    for body, reply in found:
        yield from ((place, reply) for place in places[body])


def _received(response: HTTPResponse, seconds: float) -> bytes:
    """The body of a response. TimeoutError where it trickles, ValueError where it is too long."""
    parts, size, end = list[bytes](), 0, monotonic() + seconds
    while part := response.read1(1 << 16):
        parts.append(part)
        size += len(part)
        if size > LONGEST:
            raise ValueError("too long")
        if monotonic() > end:
            raise TimeoutError
    return b"".join(parts)


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


def _kept(file: BinaryIO) -> dict[str, str]:
    """The replies in a cache file, by hash. A last line that a killed pass left half written is cut off."""
    file.seek(0)
    content = file.read()
    whole = content.rfind(b"\n") + 1
    if whole < len(content):
        file.truncate(whole)
    try:
        entries = [orjson.loads(line) for line in content[:whole].splitlines()]
        return {str(one["key"]): str(one["text"]) for one in entries}
    except (ValueError, KeyError, TypeError):
        found, remedy = "this is not a cache of replies", "remove the file, or name another folder"
        raise DataError(found, code="unreadable-file", place=str(file.name), remedy=remedy) from None
