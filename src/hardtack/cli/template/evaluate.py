"""Nodes and a value become text. Source: Go, text/template/exec.go."""

from __future__ import annotations

from hardtack.cli.template.functions import FUNCTIONS, ON_HEADERS, Misfit
from hardtack.cli.template.lex import TemplateError
from hardtack.cli.template.nodes import Branch, Call, Function, Jump, Literal, Node, Path, Pipe, Text
from hardtack.cli.template.values import NIL, NO_VALUE, Map, Nil, is_nil, printed, truth, typed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

_NOTHING = object()


class _Jumped(Exception):
    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


class Evaluator:
    """One rendering: the template's text (for errors), the value, the variables in force."""

    __slots__ = ("headers", "out", "text", "variables")

    def __init__(self, text: str, data: Any, headers: bool) -> None:
        self.text = text
        self.headers = headers
        self.out: list[str] = []
        self.variables: list[tuple[str, Any]] = [("$", data)]

    def run(self, nodes: list[Node]) -> str:
        """Render.

        Raises:
            TemplateError: with the place and the reason.
        """
        self._walk(nodes, self.variables[0][1])
        return "".join(self.out)

    def _fail(self, node: Node, why: str, hint: str = "") -> TemplateError:
        source = " ".join(self.text[node.position : node.end].split())
        if len(source) > 40:
            source = source[:37] + "..."
        at = node.at if isinstance(node, Path) else node.position
        return TemplateError(self.text, at, f'executing "" at <{source}>: {why}', hint)

    # -- statements

    def _walk(self, nodes: list[Node], dot: Any) -> None:
        for node in nodes:
            if isinstance(node, Text):
                self.out.append(node.text)
            elif isinstance(node, Pipe):
                value = self._pipe(node, dot)
                if not node.names:
                    self.out.append(printed(value))
            elif isinstance(node, Branch):
                depth = len(self.variables)
                self._branch(node, dot)
                del self.variables[depth:]
            elif isinstance(node, Jump):
                raise _Jumped(node.kind)

    def _branch(self, node: Branch, dot: Any) -> None:
        if node.kind == "range":
            self._range(node, dot)
            return
        value = self._pipe(node.pipe, dot)
        if truth(value):
            self._walk(node.body, value if node.kind == "with" else dot)
        else:
            self._walk(node.other, dot)

    def _range(self, node: Branch, dot: Any) -> None:
        value = self._pipe(node.pipe, dot, bind=False)
        depth = len(self.variables)
        empty = True
        for key, item in self._items(node, value):
            empty = False
            self._bind_item(node.pipe, key, item)
            try:
                self._walk(node.body, item)
            except _Jumped as jump:
                if jump.kind == "break":
                    break
            finally:
                if node.pipe.declares:
                    del self.variables[depth:]
        if empty:
            self._walk(node.other, dot)

    def _items(self, node: Branch, value: Any) -> Iterable[tuple[Any, Any]]:
        if isinstance(value, Map):
            return [(key, value[key]) for key in sorted(value)]
        if isinstance(value, dict):
            return [(key, typed(key, value[key])) for key in sorted(value)]
        if isinstance(value, (list, tuple)):
            return enumerate(value)
        if isinstance(value, int) and not isinstance(value, bool):
            return ((number, number) for number in range(value))
        if is_nil(value):
            return ()
        raise self._fail(node.pipe, f"range can't iterate over {printed(value)}")

    def _bind_item(self, pipe: Pipe, key: Any, item: Any) -> None:
        names = pipe.names
        pairs = zip(names, (key, item) if len(names) == 2 else (item,), strict=False)
        for name, value in pairs:
            self._bind(pipe, name, value)

    # -- expressions

    def _bind(self, pipe: Pipe, name: str, value: Any) -> None:
        if pipe.declares:
            self.variables.append((name, value))
            return
        for position in range(len(self.variables) - 1, -1, -1):
            if self.variables[position][0] == name:
                self.variables[position] = (name, value)
                return

    def _pipe(self, node: Pipe, dot: Any, bind: bool = True) -> Any:
        value: Any = _NOTHING
        for call in node.calls:
            value = self._call(call, dot, value)
        if bind:
            for name in node.names:
                self._bind(node, name, value)
        return value

    def _call(self, node: Call, dot: Any, final: Any) -> Any:
        first = node.words[0]
        if isinstance(first, Function):
            return self._function(first, node, dot, final)
        if isinstance(first, Path):
            return self._path(first, node.words[1:], dot, final)
        if len(node.words) > 1 or final is not _NOTHING:
            raise self._fail(first, "can't give argument to non-function")
        return self._value(first, dot)

    def _value(self, node: Node, dot: Any) -> Any:
        if isinstance(node, Literal):
            return node.value
        if isinstance(node, Pipe):
            return self._pipe(node, dot)
        if isinstance(node, Function):
            return self._function(node, Call(node.position, node.end, [node]), dot, _NOTHING)
        if isinstance(node, Path):
            return self._path(node, [], dot, _NOTHING)
        raise self._fail(node, "can't evaluate")

    def _function(self, node: Function, call: Call, dot: Any, final: Any) -> Any:
        name, words = node.name, call.words[1:]
        if name in ("and", "or"):
            return self._lazy(node, words, dot, final)
        values = [self._value(word, dot) for word in words]
        if final is not _NOTHING:
            values.append(final)
        function, fewest, most = FUNCTIONS[name]
        if len(values) < fewest or (most is not None and len(values) > most):
            wanted = f"at least {fewest}" if most is None else str(fewest)
            raise self._fail(node, f"wrong number of args for {name}: want {wanted} got {len(values)}")
        if self.headers and name in ON_HEADERS:
            return values[0]
        try:
            return function(*values)
        except Misfit as misfit:
            raise self._fail(call, f"error calling {name}: {misfit}") from None

    def _lazy(self, node: Function, words: list[Node], dot: Any, final: Any) -> Any:
        if not words and final is _NOTHING:
            raise self._fail(node, f"wrong number of args for {node.name}: want at least 1 got 0")
        value: Any = None
        for word in words:
            value = self._value(word, dot)
            if truth(value) == (node.name == "or"):
                return value
        return value if final is _NOTHING else final

    def _path(self, node: Path, words: list[Node], dot: Any, final: Any) -> Any:
        if isinstance(node.base, Node):
            value = self._value(node.base, dot)
        elif node.base is None:
            value = dot
        else:
            value = next(value for name, value in reversed(self.variables) if name == node.base)
        for name in node.fields:
            value = self._field(node, name, value)
        given = [self._value(word, dot) for word in words] + ([] if final is _NOTHING else [final])
        if callable(value):
            return self._method(node, value, given)
        if given:
            name = node.fields[-1] if node.fields else "value"
            raise self._fail(node, f"{name} has arguments but cannot be invoked as function")
        return value

    def _method(self, node: Path, method: Any, given: list[Any]) -> Any:
        try:
            return method(*given)
        except TypeError as error:
            raise self._fail(node, f"error calling {node.fields[-1]}: {error}") from None

    def _field(self, node: Node, name: str, value: Any) -> Any:
        if isinstance(value, Map):
            return value.get(name, NO_VALUE)
        if isinstance(value, dict):
            if name in value:
                return typed(name, value[name])
            other = [key for key in value if key.lower() == name.lower()]  # Go's ID is JSON's Id
            if len(other) == 1:
                return typed(other[0], value[other[0]])
            raise self._unknown(node, name, value)
        if value is NIL or (isinstance(value, Nil) and value.printed == "<nil>"):
            raise self._fail(node, f"nil pointer evaluating .{name}")
        if isinstance(value, Nil) and value.printed != "[]":
            return NO_VALUE
        kind = {bool: "bool", int: "int", float: "float64", str: "string"}.get(type(value), "[]interface {}")
        raise self._fail(node, f"can't evaluate field {name} in type {kind}")

    def _unknown(self, node: Node, name: str, value: dict[str, Any]) -> TemplateError:
        from hardtack.cli.suggest import nearest

        near = nearest(name, value)
        hint = (
            f"Perhaps .{near[0]} is meant" if near else "Known here: " + " ".join(f".{key}" for key in list(value)[:40])
        )
        return self._fail(node, f"can't evaluate field {name}", hint)
