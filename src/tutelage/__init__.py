"""Tutelage: supervised fine-tuning with evidence. The Python API: one function per verb, taking the same recipe."""

from tutelage.recipe import Recipe, build, load
from tutelage.run.chatting import chat
from tutelage.run.comparing import compare
from tutelage.run.demo import demo
from tutelage.run.doctoring import doctor
from tutelage.run.initialising import init
from tutelage.run.inspecting import inspect
from tutelage.run.previewing import preview
from tutelage.run.training import train

__all__ = ["Recipe", "build", "chat", "compare", "demo", "doctor", "init", "inspect", "load", "preview", "train"]
