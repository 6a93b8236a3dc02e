"""Tokens become nodes. Source: Go, text/template/parse/parse.go."""

from __future__ import annotations

from hardtack.cli.template import lex
from hardtack.cli.template.functions import NAMES
from hardtack.cli.template.lex import TemplateError, Token, tokens
from hardtack.cli.template.nodes import Branch, Call, Function, Jump, Literal, Node, Path, Pipe, Text

_BRANCHES = ("if", "range", "with")
_REFUSED = ("define", "template", "block")
_CONSTANTS = {"true": True, "false": False, "nil": None}


def parse(text: str) -> list[Node]:
    """Parse a template.

    Raises:
        TemplateError: with the place and the reason.
    """
    parser = _Parser(text)
    nodes, stop = parser.nodes(())
    if stop is not None:
        raise TemplateError(text, stop.position, f"unexpected {{{{{stop.value}}}}}")
    return nodes


class _Parser:
    __slots__ = ("loops", "position", "text", "tokens", "variables")

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = list(tokens(text))
        self.position = 0
        self.variables = ["$"]
        self.loops = 0

    # -- tokens

    def _peek(self) -> Token | None:
        return self.tokens[self.position] if self.position < len(self.tokens) else None

    def _next(self) -> Token:
        token = self.tokens[self.position]
        self.position += 1
        return token

    def _skip_blank(self) -> Token:
        while self.tokens[self.position].kind == lex.BLANK:
            self.position += 1
        return self.tokens[self.position]

    def _fail(self, token: Token, why: str) -> TemplateError:
        return TemplateError(self.text, token.position, why)

    def _close(self, where: str) -> Token:
        token = self._skip_blank()
        if token.kind != lex.CLOSE:
            raise self._fail(token, f"unexpected {_shown(token)} in {where}")
        return self._next()

    # -- lists of nodes

    def nodes(self, ends: tuple[str, ...]) -> tuple[list[Node], Token | None]:
        """Nodes up to an action that begins with one of the words, or to the end of the text."""
        found: list[Node] = []
        while (token := self._peek()) is not None:
            self.position += 1
            if token.kind == lex.TEXT:
                found.append(Text(token.position, token.end, token.value))
                continue
            word = self._skip_blank()
            if word.kind == lex.WORD and word.value in ("end", "else"):
                self.position += 1
                if word.value not in ends:
                    raise self._fail(word, f"unexpected {{{{{word.value}}}}}")
                return found, word
            found.append(self._action(word))
        return found, None

    def _action(self, word: Token) -> Node:
        if word.kind == lex.WORD:
            if word.value in _BRANCHES:
                return self._branch(self._next())
            if word.value in _REFUSED:
                raise self._fail(word, f"{word.value} is not supported in --format")
            if word.value in ("break", "continue"):
                self._next()
                if not self.loops:
                    raise self._fail(word, f"{{{{{word.value}}}}} outside {{{{range}}}}")
                self._close(word.value)
                return Jump(word.position, word.end, word.value)
        pipe = self._pipe("command")
        self._close("command")
        return pipe

    def _branch(self, word: Token) -> Branch:
        kind = word.value
        depth = len(self.variables)
        pipe = self._pipe(kind)
        self._close(kind)
        self.loops += kind == "range"
        body, stop = self.nodes(("end", "else"))
        self.loops -= kind == "range"
        other: list[Node] = []
        if stop is not None and stop.value == "else":
            following = self._skip_blank()
            if following.kind == lex.WORD and following.value == kind and kind != "range":
                other = [self._branch(self._next())]  # else if, else with: shares our end
                del self.variables[depth:]
                return Branch(word.position, word.end, kind, pipe, body, other)
            self._close("else")
            other, stop = self.nodes(("end",))
        if stop is None:
            raise self._fail(word, f"{{{{{kind}}}}} without {{{{end}}}}")
        self._close("end")
        del self.variables[depth:]
        return Branch(word.position, word.end, kind, pipe, body, other)

    # -- pipes

    def _pipe(self, where: str, closing: str = "") -> Pipe:
        first = self._skip_blank()
        names, declares = self._names(where)
        calls = [self._call(where)]
        while True:
            token = self._skip_blank()
            if token.kind == lex.PUNCTUATION and token.value == "|":
                self._next()
                calls.append(self._call(where))
                if isinstance(calls[-1].words[0], Literal):
                    raise self._fail(token, "non executable command in pipeline")
                continue
            break
        if closing and not (token.kind == lex.PUNCTUATION and token.value == closing):
            raise self._fail(token, f"unexpected {_shown(token)} in {where}")
        if declares:
            self.variables += names
        return Pipe(first.position, calls[-1].end, calls, names, declares)

    def _names(self, where: str) -> tuple[list[str], bool]:
        """`$x :=`, `$x =`, and in range `$i, $x :=`; nothing is consumed when it is none of them."""
        start = self.position
        names: list[str] = []
        while True:
            token = self._skip_blank()
            if token.kind != lex.VARIABLE:
                break
            names.append(self._next().value)
            token = self._skip_blank()
            if token.kind == lex.PUNCTUATION and token.value == "," and where == "range" and len(names) < 2:
                self._next()
                continue
            if token.kind == lex.PUNCTUATION and token.value in (":=", "="):
                self._next()
                if token.value == "=":
                    self._check_known(names, token)
                return names, token.value == ":="
            break
        self.position = start
        return [], False

    def _check_known(self, names: list[str], token: Token) -> None:
        for name in names:
            if name not in self.variables:
                raise self._fail(token, f'undefined variable "{name}"')

    def _call(self, where: str) -> Call:
        words: list[Node] = []
        first = self._skip_blank()
        while True:
            token = self._skip_blank()
            if token.kind == lex.CLOSE or (token.kind == lex.PUNCTUATION and token.value in ("|", ")")):
                break
            words.append(self._operand(where))
            token = self.tokens[self.position]
            if token.kind not in (lex.BLANK, lex.CLOSE) and not (
                token.kind == lex.PUNCTUATION and token.value in ("|", ")")
            ):
                raise self._fail(token, f"unexpected {_shown(token)} in operand")
        if not words:
            raise self._fail(first, f"missing value for {where}")
        if len(words) == 1 and isinstance(words[0], Literal) and words[0].value is None:
            raise self._fail(first, "nil is not a command")
        if len(words) > 1 and isinstance(words[0], Literal):
            raise self._fail(first, f"can't give argument to non-function {_shown(first)}")
        return Call(first.position, words[-1].end, words)

    def _operand(self, where: str) -> Node:
        token = self._next()
        node = self._term(token, where)
        fields: list[str] = []
        at = end = node.end
        while (following := self.tokens[self.position]).kind == lex.FIELD and len(following.value) > 1:
            fields.append(following.value[1:])
            at, end = following.position, self._next().end
        if not fields:
            return node
        if isinstance(node, Literal):
            raise self._fail(token, f"unexpected . after term {_shown(token)}")
        if isinstance(node, Path) and not isinstance(node.base, Node):
            return Path(node.position, end, node.base, node.fields + fields, at)
        return Path(node.position, end, node, fields, at)

    def _term(self, token: Token, where: str) -> Node:
        if token.kind == lex.STRING:
            return Literal(token.position, token.end, token.value)
        if token.kind == lex.NUMBER:
            return Literal(token.position, token.end, self._number(token))
        if token.kind == lex.FIELD:
            return Path(token.position, token.end, None, [token.value[1:]] if len(token.value) > 1 else [])
        if token.kind == lex.VARIABLE:
            if token.value not in self.variables:
                raise self._fail(token, f'undefined variable "{token.value}"')
            return Path(token.position, token.end, token.value, [])
        if token.kind == lex.WORD:
            if token.value in _CONSTANTS:
                return Literal(token.position, token.end, _CONSTANTS[token.value])
            if token.value not in NAMES:
                raise self._fail(token, f'function "{token.value}" not defined')
            return Function(token.position, token.end, token.value)
        if token.kind == lex.PUNCTUATION and token.value == "(":
            pipe = self._pipe("parenthesized pipeline", ")")
            pipe.position, pipe.end = token.position, self._next().end
            return pipe
        raise self._fail(token, f"unexpected {_shown(token)} in {where}")

    def _number(self, token: Token) -> int | float:
        text = token.value.replace("_", "")
        try:
            return int(text, 0 if text.lstrip("+-")[:2].lower() in ("0x", "0o", "0b") else 10)
        except ValueError:
            pass
        try:
            return float(text)
        except ValueError:
            raise self._fail(token, f"bad number syntax: {_shown(token)}") from None


def _shown(token: Token) -> str:
    return '"}}"' if token.kind == lex.CLOSE else f'"{token.value}"'
