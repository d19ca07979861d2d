"""Valid inputs of every kind, which the mutations start from: name of the file -> its bytes."""

import gzip
import io
import json
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

from tests.small import questions
from tutelage import recipe as recipes
from tutelage.template import library

Rows = list[dict[str, Any]]

CALL = {"function": {"name": "count", "arguments": {"of": "cats", "from": 1, "deep": [1.5, None]}}, "id": "call_0001"}
TOOL = {"type": "function", "function": {"name": "count", "parameters": {"type": "object", "properties": {}}}}


def messages() -> Rows:
    asked = {"role": "user", "content": "How many cats sleep in the sun? 猫在哪里？"}
    called = {"role": "assistant", "content": "", "tool_calls": [CALL]}
    told = {"role": "tool", "content": "8", "tool_call_id": "call_0001", "name": "count"}
    answered = {"role": "assistant", "content": "Eight.", "reasoning_content": "12 plus 30", "weight": 0.5}
    return [
        {"messages": [{"role": "system", "content": "Say it twice."}, asked, answered]},
        {"messages": [asked, called, told, answered], "tools": [TOOL]},
        {"messages": [asked, {"role": "assistant", "content": [{"type": "text", "text": "No."}], "train": True}]},
        {"messages": [asked, {**answered, "weight": 2}, asked, {**answered, "train": False}, asked, answered]},
    ]


def plain_messages() -> Rows:
    """Without lists of parts: a column of a table has one type."""
    return [row for row in messages() if all(isinstance(turn["content"], str) for turn in row["messages"])]


def sharegpt() -> Rows:
    turns = [{"from": "human", "value": "Say cat."}, {"from": "gpt", "value": "Cat."}]
    return [{"conversations": turns * count, "system": "Sing, please."} for count in (1, 2, 3)]


def alpaca() -> Rows:
    return [{**row, "input": "The old mill." if number % 2 else ""} for number, row in enumerate(questions(5))]


def completion() -> Rows:
    return [{"prompt": row["instruction"], "completion": row["output"]} for row in questions(4)]


def texts() -> Rows:
    return [{"text": f"The river runs past the old mill {number}. 河水流过旧磨坊。"} for number in range(4)]


def jsonl(rows: Rows) -> bytes:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode(errors="surrogatepass")


def array(rows: Rows) -> bytes:
    return json.dumps(rows, indent=1).encode()


def indented(rows: Rows) -> bytes:
    return "\n".join(json.dumps(row, indent=2) for row in rows).encode()


def wrapped(rows: Rows) -> bytes:
    return json.dumps({"version": 1, "data": rows}).encode()


def table(delimiter: str) -> Callable[[Rows], bytes]:
    def write(rows: Rows) -> bytes:
        names = list(rows[0])
        lines = [names, *([str(row.get(name)).replace('"', '""') for name in names] for row in rows)]
        quoted = (delimiter.join(f'"{field}"' for field in line) for line in lines)
        return "".join(f"{line}\n" for line in quoted).encode(errors="surrogatepass")

    return write


def parquet(rows: Rows) -> bytes:
    stream = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), stream)
    return stream.getvalue()


def arrow(rows: Rows) -> bytes:
    stream, made = io.BytesIO(), pa.Table.from_pylist(rows)
    with pa.ipc.new_file(stream, made.schema) as writer:
        writer.write_table(made)
    return stream.getvalue()


def gzipped(data: bytes) -> bytes:
    return gzip.compress(data, mtime=0)


def squeezed(data: bytes) -> bytes:
    return zstandard.ZstdCompressor().compress(data)


def same(data: bytes) -> bytes:
    return data


Kind = tuple[Callable[[], Rows], Callable[[Rows], bytes], Callable[[bytes], bytes]]

# Writes all that a row may have: reasoning, calls, tools on offer.
TOOL_TEMPLATE = """{% if tools %}<|im_start|>system
{{ tools | tojson }}<|im_end|>
{% endif %}{% for message in messages %}<|im_start|>{{ message.role }}
{% if message.reasoning_content %}<think>{{ message.reasoning_content }}</think>{% endif %}{{ message.content }}
{%- for call in message.tool_calls or [] %}<call>{{ call.function | tojson }}</call>{% endfor %}<|im_end|>
{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
{% endif %}"""

# name of the file -> (rows, how they are written, how the file is compressed)
DATA: dict[str, Kind] = {
    "messages.jsonl": (messages, jsonl, same),
    "sharegpt.jsonl": (sharegpt, jsonl, same),
    "alpaca.jsonl": (alpaca, jsonl, same),
    "completion.jsonl": (completion, jsonl, same),
    "texts.jsonl": (texts, jsonl, same),
    "alpaca.json": (alpaca, array, same),
    "messages.json": (messages, array, same),
    "indented.json": (completion, indented, same),
    "wrapped.json": (sharegpt, wrapped, same),
    "alpaca.csv": (alpaca, table(","), same),
    "completion.tsv": (completion, table("\t"), same),
    "messages.parquet": (plain_messages, parquet, same),
    "alpaca.parquet": (alpaca, parquet, same),
    "sharegpt.arrow": (sharegpt, arrow, same),
    "messages.jsonl.gz": (messages, jsonl, gzipped),
    "alpaca.csv.gz": (alpaca, table(","), gzipped),
    "sharegpt.jsonl.zst": (sharegpt, jsonl, squeezed),
    "alpaca.parquet.gz": (alpaca, parquet, gzipped),
}
TEMPLATES = library.names()


def data(name: str) -> bytes:
    rows, write, compress = DATA[name]
    return compress(write(rows()))


def template(name: str) -> str:
    return library.load(name, None, special_tokens={}).source


def recipe() -> str:
    """Every key with its default, and some that have none."""
    made = recipes.build(
        {
            "data": {"sources": [{"path": "rows.jsonl", "weight": 2.0, "columns": {"Frage": "prompt"}}, "more.csv"]},
            "template": {"arguments": {"enable_thinking": False}, "system": "Sing."},
            "train": {"method": "lora", "lr_scheduler_kwargs": {"min_lr_rate": 0.1}, "max_steps": 3},
        }
    )
    return recipes.dump(made)
