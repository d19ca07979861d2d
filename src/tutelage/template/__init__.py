"""Chat templates and the mask law: a conversation becomes text of which every trained character is known.

Works on text only; tokens and tokenizers are other rooms' matter. See `turns` for how a turn is found.
"""

from tutelage.template.chat import ChatTemplate
from tutelage.template.conversation import prompt, render_conversation, stop_tokens
from tutelage.template.library import load, names
from tutelage.template.regions import Region, regions

__all__ = ["ChatTemplate", "Region", "load", "names", "prompt", "regions", "render_conversation", "stop_tokens"]
