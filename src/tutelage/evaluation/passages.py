"""Parts of an answer."""

import re

_FENCED = re.compile(r"^[ ]{0,3}(`{3,}|~{3,})[^\n]*\n(.*?)(?:^[ ]{0,3}\1[`~]*[ ]*$|\Z)", re.DOTALL | re.MULTILINE)


def code_of(answer: str) -> str:
    """What stands in the answer's fenced blocks; the whole answer where there are none."""
    blocks = [match.group(2) for match in _FENCED.finditer(answer)]
    return "\n".join(blocks) if blocks else answer
