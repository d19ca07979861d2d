"""The table template x tokenizer, as the command prints it."""

import json
import subprocess
import sys
from pathlib import Path

from tutelage.template.battery import battery

ROOT = Path(__file__).resolve().parents[2]
TAIL = "<|im_end|>{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
TEMPLATES = {
    "plain": "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}" + TAIL,
    "forgets": "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ '' if loop.revindex > 3 else m.content }}" + TAIL,
    "broken": "{% for m in",
    "refuses": "{{ raise_exception('embeddings only') }}",
}


def table(templates: dict[str, str], tokenizer: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    file = folder / "templates.jsonl"
    file.write_text("".join(json.dumps({"name": n, "template": t}) + "\n" for n, t in templates.items()))
    command = [sys.executable, "-m", "benchmarks.templates", "--templates", str(file), "--tokenizers", str(tokenizer)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)


def test_verdicts_are_printed_and_counted(tiny_model: Path, tmp_path: Path) -> None:
    done = table(TEMPLATES, tiny_model, tmp_path)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    kinds = len(battery(""))
    marks = {name: next(line for line in lines if line.startswith(f"{name} ")).split()[1] for name in TEMPLATES}
    assert set(map(len, marks.values())) == {kinds}
    assert marks["broken"] == marks["refuses"] == "-" * kinds
    assert marks["plain"].startswith("mm")
    assert marks["forgets"].startswith("m")
    assert "t" in marks["forgets"]
    joined = "".join(marks.values())
    summary = next(line for line in lines if "wrong = 0" in line)
    assert summary.startswith(f"{len(joined)} conversations: {len(joined) - joined.count('-')} exact")
    assert any("embeddings only" in line for line in lines)
    assert any("not valid Jinja" in line for line in lines)


def test_a_missing_tokenizer_is_one_message(tmp_path: Path) -> None:
    done = table({"plain": TEMPLATES["plain"]}, tmp_path / "nowhere", tmp_path)
    assert done.returncode == 1
    assert "nowhere" in done.stderr
    assert "Traceback" not in done.stderr
