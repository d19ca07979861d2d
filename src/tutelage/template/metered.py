"""A sandbox in which everything is paid for: Jinja's own, with every template rewritten before it is compiled.

The bodies of loops, macros and blocks begin with a charge for what stands in them; values that are joined, compared,
searched, sliced and looked up pass through a charge by their size. Operators, calls, filters and what is written are
charged where the sandbox executes them.
"""

import functools
from collections.abc import Callable, Iterable, Sequence
from types import BuiltinMethodType, FunctionType, MethodType
from typing import Any, cast

import jinja2
import jinja2.ext
from jinja2 import nodes
from jinja2.runtime import BlockReference, Context, LoopContext, Macro
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.visitor import NodeTransformer

from tutelage.template import limits

# What no chat template needs, and what would take rules of its own.
_LEFT_OUT = ("pprint", "random", "striptags", "sum", "urlencode", "urlize", "wordwrap", "xmlattr")
_LEFT_OUT_GLOBALS = ("cycler", "joiner", "lipsum")
_FREE_FILTERS = frozenset(("count", "d", "default", "first", "items", "last", "length"))
_READING_TESTS = frozenset(("in", "lower", "upper"))  # besides the comparing ones, which are Python's operators
_CLOSED = (int, float, bytes)  # types whose methods write what they were not given
_OF_MAPPINGS = frozenset(dir(dict))

_MAKING = (nodes.Call, nodes.Concat, nodes.Filter, nodes.List, nodes.Tuple)
_WEIGHTS: dict[type[nodes.Node], int] = {nodes.Dict: limits.CALL, **dict.fromkeys(_MAKING, limits.ITEM)}


@jinja2.pass_context
def _passed(context: Context, cost: int) -> bool:
    """A charge for one pass through a body. What needs the context is not computed when the template is compiled."""
    return limits.spend(cost)


# Charges that the rewriting inserts, as filters under names that no template can spell.
_CHARGES: dict[str, Callable[..., Any]] = {
    f"<{one.__name__}>": one for one in (_passed, limits.read, limits.searched, limits.copied, limits.written)
}


def _through(charge: Callable[..., Any], value: nodes.Expr) -> nodes.Expr:
    return nodes.Filter(value, f"<{charge.__name__}>", [], [], None, None, lineno=value.lineno)


def _unless_spelled_out(charge: Callable[..., Any], value: nodes.Expr) -> nodes.Expr:
    """`value` as it comes out of a charge. What is spelled out was charged with the body that it stands in."""
    return value if _is_literal(value) else _through(charge, value)


def _is_literal(node: nodes.Node) -> bool:
    return isinstance(node, nodes.Const) or (
        isinstance(node, (nodes.List, nodes.Tuple)) and all(map(_is_literal, node.items))
    )


def _cost(body: Iterable[nodes.Node]) -> int:
    """Of one pass: the expressions, the objects that they make, and the texts spelled out."""
    total = 0
    for node in body:
        total += _WEIGHTS.get(type(node), limits.STEP) + _cost(node.iter_child_nodes())
        text = node.data if isinstance(node, nodes.TemplateData) else isinstance(node, nodes.Const) and node.value
        total += len(text) if isinstance(text, str) else 0
    return total


class _Metering(NodeTransformer):
    """Puts the charges into a template's syntax tree."""

    def _with_charge(self, node: nodes.For | nodes.Macro | nodes.CallBlock | nodes.Block) -> nodes.Node:
        charge = _through(_passed, nodes.Const(limits.ITEM + _cost(node.body), lineno=node.lineno))
        self.generic_visit(node)
        node.body.insert(0, nodes.ExprStmt(charge, lineno=node.lineno))
        return node

    visit_Macro = visit_CallBlock = visit_Block = _with_charge

    def visit_For(self, node: nodes.For) -> nodes.Node:
        if node.test is not None:  # it is also asked for the items that do not reach the body
            charge = _through(_passed, nodes.Const(limits.ITEM + _cost([node.test]), lineno=node.lineno))
            node.test = nodes.And(charge, node.test, lineno=node.lineno)
        return self._with_charge(node)

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:
        self.generic_visit(node)
        node.nodes = [_unless_spelled_out(limits.written, one) for one in node.nodes]
        return node

    def visit_Compare(self, node: nodes.Compare) -> nodes.Node:
        """`a == b` reads no more than all of `a`; `a in b` all of `b`."""
        self.generic_visit(node)
        if not _is_literal(node.ops[-1].expr):
            node.expr = _unless_spelled_out(limits.read, node.expr)
        for operand in node.ops:
            if operand.op in ("in", "notin") or operand is not node.ops[-1]:
                operand.expr = _unless_spelled_out(limits.searched, operand.expr)
        return node

    def visit_Getitem(self, node: nodes.Getitem) -> nodes.Node:
        """`a[1:]` copies; the key of `a[b]` is hashed, and written if it is not there."""
        self.generic_visit(node)
        if isinstance(node.arg, nodes.Slice):
            node.node = _through(limits.copied, node.node)
        else:
            node.arg = _unless_spelled_out(limits.read, node.arg)
        return node

    def visit_Pair(self, node: nodes.Pair) -> nodes.Node:
        self.generic_visit(node)
        node.key = _unless_spelled_out(limits.read, node.key)
        return node


class _Missing(jinja2.Undefined):
    """What is not there, which takes Jinja long to find out."""

    __slots__ = ()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        limits.spend(limits.CALL)
        super().__init__(*args, **kwargs)


class MeteredEnvironment(ImmutableSandboxedEnvironment):
    """Jinja's immutable sandbox, in which everything is paid for. It compiles and renders within a `limits.Budget`."""

    intercepted_binops = frozenset(ImmutableSandboxedEnvironment.default_binop_table)

    def __init__(self, extensions: Sequence[str | type[jinja2.ext.Extension]]) -> None:
        blocks = {"trim_blocks": True, "lstrip_blocks": True}
        super().__init__(**blocks, extensions=extensions, finalize=limits.written, undefined=_Missing)
        self._safe: dict[tuple[type, str], bool] = {}
        for name in _LEFT_OUT_GLOBALS:
            del self.globals[name]
        for name in _LEFT_OUT:
            del self.filters[name]
        for name in self.filters.keys() - _FREE_FILTERS:
            self.filters[name] = charged(name, self.filters[name])
        for name, test in self.tests.items():
            if name in _READING_TESTS or test.__module__ == "_operator":
                self.tests[name] = charged(name, cast(Callable[..., Any], test))
        self.filters |= _CHARGES

    def _generate(
        self, source: nodes.Template, name: str | None, filename: str | None, defer_init: bool = False
    ) -> str:
        return super()._generate(_Metering().visit(source), name, filename, defer_init)

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        """As Jinja answers, in the form that it calls; once for each type and name. Numbers have no methods."""
        asked = type(obj), attr
        if asked not in self._safe:
            self._safe[asked] = not isinstance(obj, _CLOSED) and super().is_safe_attribute(obj, attr, value)
        return self._safe[asked]

    def getattr(self, obj: Any, attribute: str) -> Any:
        """As in Jinja, without asking a mapping for attributes that no mapping has, which is slow."""
        if type(obj) is dict and attribute not in _OF_MAPPINGS:
            return obj[attribute] if attribute in obj else self.undefined(obj=obj, name=attribute)
        return super().getattr(obj, attribute)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """The operation, after its charge, in the form that Jinja calls."""
        if operator == "+" and type(left) is str is type(right):  # by far the most frequent
            limits.spend(len(left) + len(right))
            return left + right
        limits.before_operation(operator, left, right=right)
        return self.binop_table[operator](left, right)

    def call(self, context: Context, function: Any, /, *args: Any, **kwargs: Any) -> Any:
        """The call, after its charge. What macros, blocks and loops do is charged in their bodies."""
        kind = type(function)
        if kind in (Macro, LoopContext, BlockReference):
            limits.spend(limits.CALL)
            return super().call(context, function, *args, **kwargs)
        kwargs.pop("_loop_vars", None)  # for functions that want the context, of which there is none here
        kwargs.pop("_block_vars", None)
        # Jinja puts functions of its own before `format`, and methods of its own on texts that are marked as safe.
        method = function.__wrapped__ if kind is FunctionType and function.__name__ in limits.FORMATTING else function
        if kind is not BuiltinMethodType and not isinstance(method, (BuiltinMethodType, MethodType)):
            limits.spend(limits.CALL + sum(map(limits.size, (*args, *kwargs.values()))))
            return super().call(context, function, *args, **kwargs)
        args = tuple(limits.gathered(method.__name__, one) for one in args)
        limits.before(method.__name__, method.__self__, given=(*args, *kwargs.values()))
        return function(*args, **kwargs)  # `getattr` gave it away, so it may be called


def charged(name: str, applied: Callable[..., Any]) -> Callable[..., Any]:
    """A filter or test that is charged before it is applied."""
    # Some of Jinja's filters are given the context or the environment first, and carry a mark that says so.
    first = int(isinstance(applied, FunctionType) and "jinja_pass_arg" in applied.__dict__)

    by_sum = limits.is_by_sum(name)

    @functools.wraps(applied)
    def paid(*args: Any, **kwargs: Any) -> Any:
        if by_sum and len(args) == 1 and type(args[0]) is str and not kwargs:  # by far the most frequent
            limits.spend(limits.ITEM + len(args[0]))
            return applied(*args)
        value = limits.gathered(name, args[first])
        given = args[first + 1 :]
        limits.before(name, value, given=(*given, *kwargs.values()))
        return applied(*args[:first], value, *given, **kwargs)

    return paid
