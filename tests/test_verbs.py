"""Every verb once, as a user runs it: a real process, the bundled model, files on disk."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
ENVIRONMENT = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}


def tutelage(*arguments: str, cwd: Path, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    environment = {**ENVIRONMENT, "XDG_CACHE_HOME": str(cwd / "cache")}
    command = [sys.executable, "-m", "tutelage.cli", *arguments]
    return subprocess.run(command, cwd=cwd, env=environment, input=stdin, capture_output=True, text=True, timeout=600)


def result(done: subprocess.CompletedProcess[str]) -> dict:
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def sums(count: int) -> list[dict[str, str]]:
    return [{"instruction": f"What is {n} plus {n + 1}?", "input": "", "output": str(2 * n + 1)} for n in range(count)]


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in sums(60)))
    return path


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict]:
    """A folder in which `init` and `train` have been run, and what train printed."""
    folder = tmp_path_factory.mktemp("verbs")
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in sums(60)))
    assert result(tutelage("init", "--data", "rows.jsonl", "--json", cwd=folder)) == {"recipe": "recipe.yaml"}
    settings = ["--set", "train.max_steps=4", "--set", "evaluate.num_questions=3", "--set", "evaluate.max_new_tokens=8"]
    shorter = yaml.safe_load((folder / "recipe.yaml").read_text())
    del shorter["train"]["num_train_epochs"]
    (folder / "recipe.yaml").write_text(yaml.safe_dump(shorter))
    return folder, result(tutelage("train", "recipe.yaml", *settings, "--json", cwd=folder))


def test_train_ends_in_one_line_of_figures_and_leaves_the_evidence(trained: tuple[Path, dict]) -> None:
    folder, figures = trained
    assert figures["steps"] == 4
    assert {key: figures["ledger"][key] for key in ("rows", "used", "shortened", "dropped")} == {
        "rows": 60,
        "used": 60,
        "shortened": 0,
        "dropped": 0,
    }
    assert figures["tokens_per_s"] > 0
    assert figures["loss"]["last"] < figures["loss"]["first"]
    run = folder / figures["output_dir"]
    ledger = [json.loads(line) for line in (run / "ledger.jsonl").read_text().splitlines()]
    assert len(ledger) == 60
    assert {entry["split"] for entry in ledger} == {"train", "eval"}
    logged = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in logged if "loss" in line] == [1, 2, 3, 4]
    assert (folder / figures["report"]).read_text().startswith("<!doctype html>")
    (suite,) = json.loads((run / "comparison.json").read_text())["suites"]
    assert len(suite["items"]) == 3
    assert list((run / "tensorboard").iterdir())
    assert yaml.safe_load((run / "recipe.yaml").read_text())["train"]["max_steps"] == 4


def test_the_trained_model_is_an_ordinary_folder(trained: tuple[Path, dict]) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder, figures = trained
    place = folder / figures["model"]
    tokenizer, model = AutoTokenizer.from_pretrained(place), AutoModelForCausalLM.from_pretrained(place)
    chat = [{"role": "user", "content": "What is 3 plus 4?"}]
    assert "What is 3 plus 4?" in tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
    assert tokenizer.eos_token_id in model.generation_config.eos_token_id


def test_the_same_seed_gives_the_same_losses_twice(trained: tuple[Path, dict]) -> None:
    folder, figures = trained
    again = ["--set", "train.max_steps=4", "--set", "evaluate.num_questions=0", "--set", "output_dir=runs/again"]
    second = result(tutelage("train", "recipe.yaml", *again, "--json", cwd=folder))

    def losses(run: str) -> list[float]:
        lines = (folder / run / "metrics.jsonl").read_text().splitlines()
        return [json.loads(line)["loss"] for line in lines if '"loss"' in line]

    assert losses(second["output_dir"]) == losses(figures["output_dir"])


def test_an_earlier_run_is_kept_aside(trained: tuple[Path, dict]) -> None:
    folder, _ = trained
    settings = ["--set", "train.max_steps=1", "--set", "evaluate.num_questions=0", "--set", "output_dir=runs/twice"]
    for _ in range(2):
        result(tutelage("train", "recipe.yaml", *settings, "--json", cwd=folder))
    assert (folder / "runs/twice/report.html").exists()
    assert (folder / "runs/twice.1/report.html").exists()


def test_compare_tells_the_verdict_with_n(trained: tuple[Path, dict]) -> None:
    folder, figures = trained
    done = tutelage(
        "compare", "pupil", figures["model"], "--data", "rows.jsonl", "--questions", "4",
        "--set", "evaluate.max_new_tokens=4", "--output", "asked", "--json", cwd=folder,
    )  # fmt: skip
    told = result(done)
    assert told["models"] == ["pupil", figures["model"]]
    suite = told["suites"]["rows"]
    assert suite["n"] == 4
    assert suite["against"][figures["model"]]["verdict"] in {"better", "worse", "equivalent", "not distinguishable"}
    (written,) = json.loads((folder / "asked" / "evaluation.json").read_text())["suites"]
    assert len(written["items"]) == 4
    assert (folder / "asked" / "report.html").exists()


def test_chat_answers_each_line(trained: tuple[Path, dict]) -> None:
    folder, figures = trained
    done = tutelage("chat", figures["model"], "--max-new-tokens", "5", cwd=folder, stdin="Hello\n/reset\n你好\n/exit\n")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("\n") >= 2


def test_preview_prints_what_is_trained(rows: Path) -> None:
    shown = result(tutelage("preview", "--data", str(rows), "--rows", "3", "--json", cwd=rows.parent))
    assert [one["row"] for one in shown["examples"]] == [0, 1, 2]
    assert shown["refused"] == []
    first = shown["examples"][0]
    assert first["source"] == f"{rows}:1"
    assert len(first["token_ids"]) == len(first["trained"]) == len(first["pieces"])
    trained = "".join(piece for piece, on in zip(first["pieces"], first["trained"], strict=True) if on)
    assert trained == " 1<|endoftext|>"


def test_preview_shows_colour_where_people_read(rows: Path) -> None:
    done = tutelage("preview", "--data", str(rows), "--rows", "1", "--ids", cwd=rows.parent)
    assert done.returncode == 0
    assert "<|endoftext|>" in done.stdout


def test_doctor_needs_no_weights_and_tells_what_a_template_does(tmp_path: Path) -> None:
    bundled = ROOT / "src" / "tutelage" / "bundled" / "pupil"
    for file in bundled.glob("*.json"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    told = result(tutelage("doctor", "--model", ".", "--template", "chatml", "--json", cwd=tmp_path))
    verdicts = {case["case"]: case["verdict"] for case in told["cases"]}
    assert told["healthy"]
    assert verdicts["several turns"] == "exact, merged"
    assert "refused" in verdicts.values()
    [stop] = told["stops"]["answers"]
    assert stop["text"] == "<|im_end|>"
    assert told["stops"]["missed"] == [stop], "the folder's generation_config.json names another token"
    shown = tutelage("doctor", "--model", ".", "--template", "chatml", cwd=tmp_path)
    assert shown.returncode == 0
    assert told["sentence"] in shown.stdout


BAD_TEMPLATES = {
    "raises": ("{{ raise_exception('only cats may speak') }}", "only cats may speak"),
    "syntax": ("{% if x", "own.jinja:1"),
    "undefined": ("\n{{ nothing.at.all }}", "own.jinja:2"),
}


@pytest.mark.parametrize("case", BAD_TEMPLATES)
def test_doctor_exits_with_1_where_plain_questions_are_not_exact(case: str, tmp_path: Path) -> None:
    source, told = BAD_TEMPLATES[case]
    (tmp_path / "own.jinja").write_text(source)
    done = tutelage("doctor", "--template", "own.jinja", cwd=tmp_path)
    assert done.returncode == 1
    assert told in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_data_inspect_counts_every_row(rows: Path) -> None:
    with rows.open("a") as file:
        file.write('{"instruction": "Nothing?", "input": "", "output": ""}\n')
    seen = result(tutelage("data", "inspect", "--data", str(rows), "--model", "pupil", "--json", cwd=rows.parent))
    assert seen["ledger"]["rows"] == 61
    assert seen["ledger"]["reasons"] == {"empty answer": 1}
    assert seen["lengths"]["unit"] == "tokens"
    assert len(seen["first"]) == 5


BAD = {
    "missing file": ("none.jsonl", None, "no such file"),
    "empty set": ("empty.jsonl", "", "empty.jsonl"),
    "malformed line": ("bad.jsonl", '{"instruction": "a", "output": "b"}\n{"instruction": \n', "bad.jsonl:2"),
    "unknown role": (
        "role.jsonl",
        '{"messages": [{"role": "wizard", "content": "a"}, {"role": "assistant", "content": "b"}]}\n',
        "role.jsonl:1",
    ),
    "empty answer": ("answer.jsonl", '{"instruction": "a", "output": "  "}\n', "answer.jsonl:1"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_message_and_nothing_is_half_written(case: str, tmp_path: Path) -> None:
    name, content, told = BAD[case]
    if content is not None:
        (tmp_path / name).write_text(content)
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump({"data": {"sources": name}, "output_dir": "run"}))
    done = tutelage("train", "recipe.yaml", "--json", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.count("error:") == 1
    assert told in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert not (tmp_path / "run").exists()


def test_a_template_that_raises_is_told_with_the_rows(rows: Path) -> None:
    (rows.parent / "broken.jinja").write_text("{{ raise_exception('only cats may speak') }}")
    tree = {"data": {"sources": str(rows)}, "output_dir": "run", "template": {"name": "broken.jinja"}}
    (rows.parent / "recipe.yaml").write_text(yaml.safe_dump(tree))
    done = tutelage("train", "recipe.yaml", cwd=rows.parent)
    assert done.returncode == 1
    assert "only cats may speak" in done.stderr
    assert f"{rows}:1" in done.stderr
    assert not (rows.parent / "run").exists()


def test_usage_errors_exit_with_2(tmp_path: Path) -> None:
    assert tutelage("train", cwd=tmp_path).returncode == 2
    assert tutelage("nonsense", cwd=tmp_path).returncode == 2


def test_help_of_every_verb_holds_an_example(tmp_path: Path) -> None:
    verbs = ("demo", "init", "data inspect", "preview", "doctor", "train", "compare", "evaluate", "chat")
    for verb in verbs:
        done = tutelage(*verb.split(), "--help", cwd=tmp_path)
        assert done.returncode == 0
        assert f"tutelage {verb}" in " ".join(done.stdout.split())


def test_ctrl_c_stops_with_130_and_the_run_can_be_resumed(rows: Path) -> None:
    tree = {
        "data": {"sources": str(rows)},
        "output_dir": "run",
        "train": {"max_steps": 100_000, "save_steps": 2, "per_device_train_batch_size": 1},
        "evaluate": {"num_questions": 0},
        "tokens": {"max_length": 64},
    }
    (rows.parent / "recipe.yaml").write_text(yaml.safe_dump(tree))
    environment = {**ENVIRONMENT, "XDG_CACHE_HOME": str(rows.parent / "cache")}
    command = [sys.executable, "-m", "tutelage.cli", "train", "recipe.yaml"]
    process = subprocess.Popen(
        command,
        cwd=rows.parent,
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
        # A test run in the background inherits an ignored Ctrl-C; a terminal does not.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        checkpoints = rows.parent / "run" / "checkpoints"
        deadline = time.monotonic() + 120
        while not list(checkpoints.glob("checkpoint-*")) and time.monotonic() < deadline:
            time.sleep(0.2)
        assert list(checkpoints.glob("checkpoint-*")), "no checkpoint within two minutes"
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130, errors
    assert "--resume" in errors
    # Another recipe does not go on with these weights.
    done = tutelage("train", "recipe.yaml", "--resume", "--set", "train.learning_rate=1", cwd=rows.parent)
    assert done.returncode == 1
    assert "belongs to another run" in done.stderr


@pytest.mark.parametrize("recipe", sorted((ROOT / "recipes").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_recipe_of_the_repository_runs(recipe: Path, rows: Path) -> None:
    tree = yaml.safe_load(recipe.read_text())
    tree["train"].pop("num_train_epochs", None)
    tree["train"]["max_steps"] = 2
    tree["data"]["sources"] = str(rows)
    tree["evaluate"] = {"num_questions": 2, "max_new_tokens": 4}
    (rows.parent / "recipe.yaml").write_text(yaml.safe_dump(tree))
    assert result(tutelage("train", "recipe.yaml", "--json", cwd=rows.parent))["steps"] == 2
