"""Law 10: nothing from data, templates or weights is executed. No code of a model runs unless it is asked for by name,
weights are safetensors, templates stay in their sandbox, secrets out of everything that is written, and nobody is
called. Files that leave their folder: tests/model/test_trust.py and tests/data/test_paths.py."""

import json
import os
import pickle
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from safetensors.torch import load_file

import tutelage
from tests.hostile_models import CODE, MAP, Trap, adapter_on, change, copied, load, section, with_code
from tests.small import Listening, questions
from tutelage import cli
from tutelage.errors import ModelError, TutelageError, redacted
from tutelage.model import restoring
from tutelage.model.loading import load_config, load_model, load_tokenizer
from tutelage.recipe import dump


@pytest.fixture(autouse=True)
def _own_modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where transformers copies code to before it runs it."""
    monkeypatch.setattr(transformers.dynamic_module_utils, "HF_MODULES_CACHE", str(tmp_path / "modules"))
    monkeypatch.syspath_prepend(str(tmp_path / "modules"))


# Code of a model


def test_code_of_a_model_is_refused_and_runs_when_asked_for(tiny_model: Path, tmp_path: Path) -> None:
    folder, mark = with_code(tiny_model, tmp_path / "own")
    for ask in (load_config, lambda it: load_model(it, dtype=torch.float32)):
        with pytest.raises(ModelError, match=r"own\.py[\s\S]*model\.trust_remote_code=\S*own"):
            ask(section(folder))
    assert not mark.exists()
    assert type(load(folder, trust_remote_code=True)).__name__ == "OwnModel"
    assert mark.exists()


def test_code_of_a_tokenizer_is_refused(tiny_model: Path, tmp_path: Path) -> None:
    folder, mark = copied(tiny_model, tmp_path / "own"), tmp_path / "ran"
    change(folder / "tokenizer_config.json", auto_map={"AutoTokenizer": [None, "words.Own"]}, tokenizer_class="Own")
    own = "from transformers import PreTrainedTokenizerFast\nclass Own(PreTrainedTokenizerFast):\n    pass\n"
    (folder / "words.py").write_text(f"open({str(mark)!r}, 'w').close()\n{own}")
    with pytest.raises(ModelError, match=r"words\.py[\s\S]*model\.trust_remote_code=\S*own"):
        load_tokenizer(section(folder))
    assert not mark.exists()
    load_tokenizer(section(folder, trust_remote_code=True))
    assert mark.exists()


def test_where_transformers_has_the_architecture_its_own_is_used_and_told(tiny_model: Path, tmp_path: Path) -> None:
    folder, mark = with_code(tiny_model, tmp_path / "own")
    change(folder / "config.json", model_type="llama")
    assert type(load(folder)).__name__ == "LlamaForCausalLM"
    assert any("own.py" in note for note in load_tokenizer(section(folder)).notes)
    assert not mark.exists()


def test_the_base_of_an_adapter_does_not_inherit_trust(tiny_model: Path, tmp_path: Path) -> None:
    base, mark = with_code(tiny_model, tmp_path / "own")
    top = adapter_on(tiny_model, tmp_path / "top", base=str(base))
    with pytest.raises(ModelError, match=r"own\.py[\s\S]*model\.trust_remote_code=\S*/own"):
        load(top, trust_remote_code=True)
    assert not mark.exists()
    load(top, trust_remote_code=str(base))
    assert mark.exists()


def test_a_second_model_does_not_inherit_trust(tiny_model: Path, tmp_path: Path) -> None:
    first, ran = with_code(tiny_model, tmp_path / "first")
    second, mark = with_code(tiny_model, tmp_path / "second")
    for folder in (first, second):
        (folder / "chat_template.jinja").write_text("{% for m in messages %}{{ m.content + eos_token }}{% endfor %}")
    rows = tmp_path / "rows.jsonl"
    rows.write_text("".join(json.dumps(row) + "\n" for row in questions(2)))
    tree = {"data": {"sources": str(rows)}, "evaluate": {"max_new_tokens": 2}}

    def compared(trust: Any) -> int:
        recipe = tutelage.build({**tree, "model": {"trust_remote_code": trust}})
        return len(tutelage.compare([str(first), str(second)], recipe, terminal=Listening()).comparisons[0].items)

    for trust in (str(first), True):  # `true` speaks of model.name_or_path, which compare does not name
        with pytest.raises(ModelError, match=r"own\.py"):
            compared(trust)
    assert not mark.exists()
    assert compared([str(first), str(second)]) == 2
    assert ran.exists()
    assert mark.exists()


def test_code_of_another_repository_has_to_be_trusted_too(tiny_model: Path, tmp_path: Path) -> None:
    elsewhere = {name: f"other/place--{target}" for name, target in MAP.items()}
    folder = copied(tiny_model, tmp_path / "own", model_type="own", auto_map=elsewhere)
    with pytest.raises(ModelError, match=r"another's: other/place"):
        load(folder, trust_remote_code=True)


def test_a_run_on_trusted_code_ends_resumes_and_executes_nothing_of_its_checkpoints(
    tiny_model: Path, tmp_path: Path, make_recipe: Any
) -> None:
    folder, _ = with_code(tiny_model, tmp_path / "own")
    trained: dict[str, Any] = {"max_steps": 2, "save_steps": 1}
    sections = {"model": {"name_or_path": str(folder), "trust_remote_code": True}, "train": trained}
    asked = {"num_questions": 1, "max_new_tokens": 2}
    tutelage.train(make_recipe(questions(30), **sections, evaluate=asked), terminal=Listening())
    checkpoint = tmp_path / "run" / "checkpoints" / "checkpoint-1"
    mark = tmp_path / "checkpoint ran"
    (checkpoint / "own.py").write_text(CODE.format(mark=str(mark)))
    model = load(folder, trust_remote_code=True)
    before = [weight.clone() for weight in model.parameters()]
    restoring.restore(model, checkpoint)
    assert any(not torch.equal(old, new) for old, new in zip(before, model.parameters(), strict=True))
    assert not mark.exists()
    with pytest.raises(ModelError, match=r"own\.py"):
        load(checkpoint)


# Pickles


@pytest.mark.parametrize("name", ["pytorch_model.bin", "weights.pt", "weights.pth", "last.ckpt"])
def test_pickles_are_not_opened(tiny_model: Path, tmp_path: Path, name: str) -> None:
    folder, mark = copied(tiny_model, tmp_path / "pickled"), tmp_path / "opened"
    (folder / "model.safetensors").unlink()
    (folder / name).write_bytes(pickle.dumps(Trap(mark)))
    for place in (folder, folder / name):
        with pytest.raises(ModelError, match=rf"pickled weights.*{name}[\s\S]*python -c"):
            load(place)
    assert not mark.exists()
    pickle.loads((folder / name).read_bytes())
    assert mark.exists(), "the trap does not work"


def convert(error: ModelError) -> subprocess.CompletedProcess[str]:
    """Run the command that an error tells."""
    program, *arguments = shlex.split(error.remedy)
    assert program == "python"
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, timeout=120)


def test_the_conversion_that_is_told_works_and_executes_nothing(tiny_model: Path, tmp_path: Path) -> None:
    folder, mark = copied(tiny_model, tmp_path / "it's pickled"), tmp_path / "opened"
    weights = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    names = list(weights)
    (folder / "pytorch_model-00002-of-00002.bin").write_bytes(pickle.dumps(Trap(mark)))
    torch.save({name: weights[name] for name in names[:5]}, folder / "pytorch_model-00001-of-00002.bin")
    with pytest.raises(ModelError, match="pickled weights") as refused:
        load(folder)
    assert convert(refused.value).returncode != 0
    assert not mark.exists()
    torch.save({name: weights[name] for name in names[5:]}, folder / "pytorch_model-00002-of-00002.bin")
    done = convert(refused.value)
    assert done.returncode == 0, done.stderr
    pairs = zip(load(folder).parameters(), load(tiny_model).parameters(), strict=True)
    assert all(torch.equal(one, other) for one, other in pairs)


def test_a_pickled_adapter_is_refused_and_can_be_converted(tiny_model: Path, tmp_path: Path) -> None:
    folder = adapter_on(tiny_model, tmp_path / "adapter", base=str(tiny_model))
    torch.save(load_file(folder / "adapter_model.safetensors"), folder / "adapter_model.bin")
    (folder / "adapter_model.safetensors").unlink()
    with pytest.raises(ModelError, match=r"adapter_model\.bin[\s\S]*python -c") as refused:
        load(folder)
    assert convert(refused.value).returncode == 0
    assert load(folder).num_parameters() == load(tiny_model).num_parameters()


def test_a_pickled_optimizer_is_not_opened_on_resuming(tmp_path: Path, make_recipe: Any) -> None:
    recipe = make_recipe(questions(20), train={"max_steps": 2, "save_steps": 1})
    tutelage.train(recipe, terminal=Listening())
    mark = tmp_path / "opened"
    checkpoints = sorted((tmp_path / "run" / "checkpoints").glob("checkpoint-*"))
    assert checkpoints
    for checkpoint in checkpoints:
        for name in ("optimizer.pt", "scheduler.pt", "rng_state.pth", "training_args.bin"):
            (checkpoint / name).write_bytes(pickle.dumps(Trap(mark)))
    tutelage.train(recipe, terminal=Listening(), resume=True)
    assert not mark.exists()


# The command line


def run(capfd: pytest.CaptureFixture[str], patch: pytest.MonkeyPatch, *arguments: str) -> tuple[int, str]:
    """The command line in this process: its exit code, and all that it prints."""
    patch.setattr(sys, "argv", ["tutelage", *arguments])
    with pytest.raises(SystemExit) as left:
        cli.main()
    printed = capfd.readouterr()
    return int(left.value.code or 0), printed.out + printed.err


def in_file(rows: list[dict[str, Any]], path: Path) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


TOO_MUCH = "does not come to an end, or builds too much|Range too big"
# Templates, and how they are refused: they reach for Python's objects, for files, and for all time and memory.
EVIL = {
    "attributes": ("{{ ''.__class__.__mro__[1].__subclasses__() }}", "'__class__' of 'str' object is unsafe"),
    "globals": (
        "{{ raise_exception.__globals__['open']('MARK', 'w') }}",
        "'__globals__' of 'function' object is unsafe",
    ),
    "format": ("{{ '{0.__class__.__mro__}'.format(messages) }}", "'__class__' of 'list' object is unsafe"),
    "include": ("{% include '/etc/hostname' %}", "asks for another one"),
    "import": ("{% import 'os' as os %}{{ os.system('touch MARK') }}", "asks for another one"),
    "a long loop": ("{% for i in range(10**9) %}{{ i }}{% endfor %}", TOO_MUCH),
    "a long text": ("{{ 'x' * 10**10 }}", TOO_MUCH),
}


@pytest.mark.parametrize("case", EVIL)
def test_templates_reach_nothing_and_end(
    case: str, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    source, told = EVIL[case]
    mark, template = tmp_path / "ran", tmp_path / "evil.jinja"
    template.write_text(source.replace("MARK", str(mark)))
    rows = in_file(questions(1), tmp_path / "rows.jsonl")
    named = ("--model", str(tiny_model), "--template", str(template), "--data", rows)
    _, said = run(capfd, monkeypatch, "preview", *named)
    assert re.search(rf"rows\.jsonl:1: refused[\s\S]*evil\.jinja:1: .*({told})", said)
    assert "Traceback" not in said
    assert not mark.exists()


def test_code_is_refused_and_named_by_the_command_line(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    folder, mark = with_code(tiny_model, tmp_path / "own")
    code, said = run(capfd, monkeypatch, "doctor", "--model", str(folder), "--template", "chatml")
    [remedy] = re.findall(r"--set (model\.trust_remote_code=\S+)", said)
    assert code == 1
    assert not mark.exists()
    run(capfd, monkeypatch, "doctor", "--model", str(folder), "--template", "chatml", "--set", remedy)
    assert mark.exists()


# Secrets

SECRETS = {
    "HF_TOKEN": "hf_" + "Q7w" * 11,
    "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMIbPxRfiCYEXAMPLE",
    "SERVICE_PASSWORD": "correct-horse-battery",
}


def test_nothing_that_a_run_writes_or_prints_holds_a_secret(
    tmp_path: Path, make_recipe: Any, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    recipe = tmp_path / "recipe.yaml"
    asked = {"num_questions": 1, "max_new_tokens": 2}
    recipe.write_text(dump(make_recipe(questions(30), train={"max_steps": 2, "save_steps": 1}, evaluate=asked)))
    code, said = run(capfd, monkeypatch, "train", str(recipe), "--json")
    assert code == 0, said
    written = [file for file in (tmp_path / "run").rglob("*") if file.is_file()]
    assert {"recipe.yaml", "ledger.jsonl", "metrics.jsonl", "report.html", "report.json", "result.json"} <= {
        file.name for file in written
    }
    everything = said.encode() + b"".join(file.read_bytes() for file in written)
    assert [name for name, value in SECRETS.items() if value.encode() in everything] == []


IN_RECIPES = {
    "data.sources": "https://anna:letmein99@host/rows.jsonl",
    "model.name_or_path": "https://:letmein99@host/model",
    "template.system": f"Use {SECRETS['SERVICE_PASSWORD']} to log in.",
    "train.warmup_ratio": SECRETS["HF_TOKEN"],
    "train.hub_token": SECRETS["HF_TOKEN"],
}


@pytest.mark.parametrize("key", IN_RECIPES)
def test_a_secret_in_a_recipe_is_refused_before_anything_is_written(
    key: str, tmp_path: Path, make_recipe: Any, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SERVICE_PASSWORD", SECRETS["SERVICE_PASSWORD"])
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(dump(make_recipe(questions(5))))
    code, said = run(capfd, monkeypatch, "train", str(recipe), "--set", f"{key}={IN_RECIPES[key]}")
    assert code == 1
    assert f"`{key}" in said
    assert not any(secret in said for secret in (*SECRETS.values(), "letmein99"))
    assert not (tmp_path / "run").exists()


def test_secrets_are_known_by_their_name_or_their_form(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_API_KEY", "abcdefghij")
    monkeypatch.setenv("TOKENIZERS_TOKEN", "true")
    told = str(TutelageError("abcdefghij is true", code="stopped", place="ftp://u:p@host/x", remedy="sk-" + "a" * 30))
    assert told == "ftp://***@host/x: *** is true\n  to do: ***\n  see: docs/errors.md#stopped"
    assert redacted("see https://host/a@b, mail to me@host") == "see https://host/a@b, mail to me@host"


# Calls

# Every verb on local files, in one process that hears of each connection; then a name that only the Hub can know.
VERBS = """
import contextlib, io, json, os, sys
calls = []
def hear(event, arguments):
    local = event == "socket.connect" and isinstance(arguments[1], (str, bytes))
    if event in ("socket.connect", "socket.getaddrinfo", "socket.sendto", "socket.gethostbyname") and not local:
        calls.append(f"{event} {arguments[1:] if event == 'socket.connect' else arguments}")
        raise RuntimeError("no network here")  # an OSError would be tried again
sys.addaudithook(hear)
from tutelage import cli
def verb(*words, stdin=""):
    sys.argv, sys.stdin = ["tutelage", *words], io.StringIO(stdin)
    with contextlib.redirect_stdout(io.StringIO()):
        try:
            cli.main()
        except SystemExit as left:
            return left.code or 0
model, short = sys.argv[1], ["--set", "evaluate.max_new_tokens=2"]
steps = ["train", "recipe.yaml", "--set", "train.max_steps=2", *short]
verbs = [
    ("init", "--data", "rows.jsonl", "--model", model),
    ("data", "inspect", "--data", "rows.jsonl", "--model", model),
    ("preview", "--data", "rows.jsonl", "--model", model),
    ("doctor", "--model", model, "--template", "chatml"),
    (*steps, "--set", "output_dir=full"),
    (*steps, "--set", "output_dir=full", "--resume"),
    (*steps, "--set", "output_dir=lora", "--set", "train.method=lora"),
    ("compare", model, "full/model", "lora/model", "--data", "rows.jsonl", "--questions", "2", *short),
]
codes = {words: verb(*words) for words in verbs}
codes["chat"] = verb("chat", "lora/model", "--max-new-tokens", "2", stdin="Hello\\n")
quiet = list(calls)
codes["hub"] = verb("doctor", "--model", "no-such-org/no-such-model")
codes["hub data"] = verb("data", "inspect", "--data", "no-such-org/no-such-rows")
codes = {str(words): code for words, code in codes.items()}
import huggingface_hub.constants
print(json.dumps([codes, quiet, calls, huggingface_hub.constants.HF_HUB_DISABLE_TELEMETRY]))
"""


@pytest.mark.parametrize("offline", [False, True])
def test_nobody_is_called_unless_the_hub_is_named(tiny_model: Path, tmp_path: Path, offline: bool) -> None:
    in_file(questions(30), tmp_path / "rows.jsonl")
    fetched = tmp_path / "fetched"  # what bitsandbytes leaves to the package `kernels` while it is imported
    (tmp_path / "kernels.py").write_text(f"def get_kernel(*_, **__):\n    open({str(fetched)!r}, 'w').close()\n")
    environment = {name: value for name, value in os.environ.items() if name != "HF_HUB_OFFLINE"}
    environment |= {
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "HF_HOME": str(tmp_path / "hf"),
        "PYTHONPATH": str(tmp_path),
    }
    environment |= {"HF_HUB_OFFLINE": "1"} if offline else {}
    done = subprocess.run(
        [sys.executable, "-c", VERBS, str(tiny_model)],
        cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    codes, quiet, calls, telemetry_is_off = json.loads(done.stdout.splitlines()[-1])
    assert quiet == []
    assert {words: code for words, code in codes.items() if code} == {"hub": 1, "hub data": 1}, done.stderr
    assert bool(calls) is not offline
    assert telemetry_is_off
    assert not fetched.exists()
