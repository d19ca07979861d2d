"""What surrounds a process: the Hub and its settings, and the encodings of text."""

import locale
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from tutelage.machine.child import WAIT
from tutelage.machine.findings import Finding
from tutelage.machine.imports import run_child
from tutelage.machine.storage import hub_home

HUB = "https://huggingface.co"
_TRUE = {"1", "ON", "YES", "TRUE"}  # as huggingface_hub reads HF_HUB_OFFLINE
_LIMIT = WAIT + 4  # seconds for the process that asks: looking up a name has no limit of its own


def examine_hub(environment: Mapping[str, str], *, online: bool) -> Iterator[Finding]:
    """Offline or not, which Hub, whether there is a token (never which). The network is used only with `online`."""
    offline = environment.get("HF_HUB_OFFLINE", "").upper() in _TRUE
    kept = "offline (HF_HUB_OFFLINE): nothing is fetched" if offline else "online: models and data may be fetched"
    yield Finding("hub", "access", kept)
    endpoint = _address(environment.get("HF_ENDPOINT") or HUB)
    if endpoint:
        yield Finding("hub", "endpoint", f"{endpoint}{' (HF_ENDPOINT)' if environment.get('HF_ENDPOINT') else ''}")
    else:
        expected, remedy = f"an address, as {HUB}", "unset HF_ENDPOINT"
        cause = "HF_ENDPOINT is not an address of the web: each fetch would fail"
        yield Finding("hub", "endpoint", "HF_ENDPOINT is not an address", "WRONG", expected, cause, remedy)
    yield Finding("hub", "token", _token(environment))
    if online and endpoint:
        yield _reach(endpoint, offline=offline)


def _address(endpoint: str) -> str:
    """An address without the name, password and query that it may hold, which are neither shown nor passed on; empty
    where it is none."""
    try:
        parts = urlsplit(endpoint)
    except ValueError:
        return ""
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return ""
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()


def _token(environment: Mapping[str, str]) -> str:
    """Whether a token is set, and by what. The token itself is read by nobody here."""
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        if environment.get(name):
            return f"set ({name})"
    file = Path(environment.get("HF_TOKEN_PATH") or hub_home(environment) / "token")
    if os.path.isfile(file) and os.path.getsize(file):
        return f"set ({file})"
    return "none; gated and private models need one (hf auth login)"


def _reach(endpoint: str, *, offline: bool) -> Finding:
    host = urlsplit(endpoint).hostname
    if offline:
        return Finding("hub", "reachable", "not tried: HF_HUB_OFFLINE is set", remedy="unset HF_HUB_OFFLINE")
    lines, ending = run_child("reach", endpoint, limit=_LIMIT)
    error = next((line["reached"] for line in lines if "reached" in line), ending)
    if not error:
        return Finding("hub", "reachable", f"{host} answers")
    cause = "there is no way to it from here: no network, a proxy that is not set, or a wall"
    remedy = "export HTTPS_PROXY=ADDRESS, or HF_ENDPOINT=ADDRESS of a mirror, or HF_HUB_OFFLINE=1 with local folders"
    return Finding("hub", "reachable", f"{host}: {error}", "WRONG", "an answer", cause, remedy)


def examine_encodings() -> Iterator[Finding]:
    """Whether texts in any language can be printed, name files, and be read where nobody says how."""
    encodings = {
        "output": (sys.stdout.encoding or "none", "texts in Chinese cannot be printed"),
        "file names": (sys.getfilesystemencoding(), "files with Chinese names cannot be opened"),
        "files": (locale.getencoding() if not sys.flags.utf8_mode else "utf-8", "packages may misread files"),
    }
    for what, (found, cause) in encodings.items():
        if found.lower().replace("-", "").replace("_", "") == "utf8":
            yield Finding("encoding", what, "UTF-8")
        else:
            yield Finding("encoding", what, found, "WRONG", "UTF-8", cause, "export PYTHONUTF8=1")
