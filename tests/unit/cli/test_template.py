"""Templates give what Go's text/template gives; the expectations here were printed by Go itself."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardtack.cli.template import Template
from hardtack.cli.template.lex import TemplateError

DATA: dict[str, Any] = {
    "Id": "abc123",
    "Name": "/web",
    "Args": ["a", "b c"],
    "State": {"Status": "running", "Running": True, "Pid": 42, "Health": None},
    "Labels": {"x": "1", "com.y": "two"},
    "Networks": {"bridge": {"IPAddress": "172.17.0.2"}, "other": {"IPAddress": "10.0.0.2"}},
    "Entrypoint": None,
    "Size": 1.5,
    "Ports": {"80/tcp": ["8080"]},
    "Label": lambda name: DATA["Labels"].get(name, ""),
}

GOOD = [
    ("", ""),
    ("plain", "plain"),
    ("{{.ID}}", "abc123"),
    ("{{.Id}}", "abc123"),
    ("{{.Name}} {{.State.Status}}", "/web running"),
    ("{{.State.Running}} {{.State.Pid}}", "true 42"),
    ("{{.State.Health}}", "<nil>"),
    ("{{if .State.Health}}h{{else}}none{{end}}", "none"),
    ("{{with .State}}{{.Pid}}{{end}}", "42"),
    ("{{with .State.Health}}{{.Status}}{{else}}no{{end}}", "no"),
    ("{{with .State.Health}}{{.Status}}{{else with .Name}}{{.}}{{end}}", "/web"),
    ('{{.Labels.x}} {{.Labels.nope}}|{{index .Labels "com.y"}}|{{index .Labels "nope"}}|', "1 <no value>|two||"),
    ("{{range .Args}}<{{.}}>{{end}}", "<a><b c>"),
    ("{{range $i, $a := .Args}}{{$i}}={{$a}};{{end}}", "0=a;1=b c;"),
    ("{{range $a := .Args}}{{$a}};{{end}}", "a;b c;"),
    ("{{range $k, $v := .Networks}}{{$k}}={{$v.IPAddress}} {{end}}", "bridge=172.17.0.2 other=10.0.0.2 "),
    ("{{range .Entrypoint}}x{{else}}empty{{end}}", "empty"),
    ('{{range .Args}}{{if eq . "b c"}}{{break}}{{end}}{{.}}{{end}}', "a"),
    ('{{range .Args}}{{if eq . "a"}}{{continue}}{{end}}{{.}}{{end}}', "b c"),
    ("{{range 3}}{{.}}{{end}}", "012"),
    ("{{.Args}} {{.Labels}} {{.Entrypoint}} {{.Size}}", "[a b c] map[com.y:two x:1] [] 1.5"),
    ("{{.State}}", "{running true 42 <nil>}"),
    ("{{.Networks.bridge.IPAddress}}", "172.17.0.2"),
    ('{{(index .Networks "bridge").IPAddress}}', "172.17.0.2"),
    ('{{index .Ports "80/tcp" 0}} {{(index (index .Ports "80/tcp") 0)}}', "8080 8080"),
    ("{{json .Labels}} {{json .Args}}", '{"com.y":"two","x":"1"} ["a","b c"]'),
    ("{{json .State}} {{json .Entrypoint}}", '{"Status":"running","Running":true,"Pid":42,"Health":null} null'),
    ('{{join .Args ","}} {{split "a:b:c" ":"}} {{index (split "a:b:c" ":") 1}}', "a,b c [a b c] b"),
    ('{{upper "abc"}} {{lower "ABC"}} {{title "hello world-foo it\'s"}}', "ABC abc Hello World-Foo It'S"),
    ('{{pad "x" 1 2}}| {{truncate "hello" 3}} {{truncate "hi" 9}}', " x  | hel hi"),
    ('{{len .Args}} {{len .Labels}} {{len "héllo"}} {{len .Entrypoint}}', "2 2 6 0"),
    ('{{slice "hello" 1 3}} {{slice .Args 1}} {{slice "hello" 2}}', "el [b c] llo"),
    (
        '{{eq .ID "abc123"}} {{ne 1 2}} {{lt 1 2}} {{le 2 2}} {{gt "b" "a"}} {{ge 1 2}}',
        "true true true true true false",
    ),
    ("{{eq 1 2 3 1}} {{eq .State.Health nil}}", "true true"),
    ('{{and true 0 "x"}} {{or "" "d"}} {{not true}} {{and 1 2}} {{or 0 ""}}|', "0 d false 2 |"),
    ('{{or (eq 1 2) (eq .Name "/web")}}', "true"),
    ('{{print "a" 1 2 "b" 3}} {{println "x" 1}}', "a1 2b3 x 1\n"),
    ('{{printf "%s-%d|%5d|%-5s|%05d|%x|%q" "a" 1 2 "b" 3 255 "q\\"x"}}', 'a-1|    2|b    |00003|ff|"q\\"x"'),
    ('{{printf "%v|%t|%.2f|%%" .Args true 1.5}}', "[a b c]|true|1.50|%"),
    ('{{printf "%d" "x"}} {{printf "%s" 1}} {{printf "%d %d" 1}}', "%!d(string=x) %!s(int=1) 1 %!d(MISSING)"),
    ('{{printf "%d" 1 2}} {{printf "%!"}}', "1%!(EXTRA int=2) %!!(MISSING)"),
    ('{{.Name | printf "%s:%s" "n"}} {{"a" | upper | printf "%q"}}', 'n:/web "A"'),
    ("{{$x := 1}}{{$x}}{{$x = 2}}{{$x}}{{if true}}{{$x = 3}}{{$x := 9}}{{$x}}{{end}}{{$x}}", "1293"),
    ("{{$.Name}} {{range .Args}}{{$.ID}}{{end}}", "/web abc123abc123"),
    ('a  {{- "b" -}}   c', "abc"),
    ("a  {{- /* hi */ -}}   c{{/* x */}}d", "acd"),
    ("{{3 -}}  x", "3x"),
    ("{{-3}} {{- 3}}", "-33"),
    ('{{if eq .ID "z"}}1{{else if eq .ID "abc123"}}2{{else}}3{{end}}', "2"),
    ("{{1}} {{1.5}} {{0x10}} {{'a'}} {{1e3}} {{1000000.0}} {{123456789.5}}", "1 1.5 16 97 1000 1e+06 1.234567895e+08"),
    ("{{1e20}} {{0.00001}} {{0.1}} {{100000.5}} {{true}} {{-3}}", "1e+20 1e-05 0.1 100000.5 true -3"),
    ('{{`raw\\n`}} {{"esc\\n\\t\\x41\\u00e9"}}', "raw\\n esc\n\tAé"),
    ('{{"<a>" | html}} {{urlquery "a b&c"}}', "&lt;a&gt; a+b%26c"),
    ('{{.Label "com.y"}}|{{.Label "none"}}', "two||"[:-1]),
    ("{{.State.Running | not}}", "false"),
    ("}} {{.Name}} }", "}} /web }"),
]

BAD = [
    ("{{", ":1:0:", "unclosed action"),
    ("{{.ID", ":1:0:", "unclosed action"),
    ("{{/* x", ":1:0:", "unclosed comment"),
    ("{{if}}x{{end}}", ":1:4:", "missing value for if"),
    ("{{if true}}x", ":1:2:", "without {{end}}"),
    ("{{end}}", ":1:2:", "unexpected {{end}}"),
    ("{{else}}", ":1:2:", "unexpected {{else}}"),
    ("{{break}}", ":1:2:", "outside {{range}}"),
    ("{{foo .ID}}", ":1:2:", 'function "foo" not defined'),
    ("{{$y}}", ":1:2:", 'undefined variable "$y"'),
    ('{{"unterminated}}', ":1:2:", "unterminated quoted string"),
    ('{{"a" "b"}}', ":1:2:", "can't give argument to non-function"),
    ('{{.ID | "x"}}', ":1:6:", "non executable command"),
    ("{{nil}}", ":1:2:", "nil is not a command"),
    ('{{template "x"}}', ":1:2:", "not supported"),
    ("{{.Foo}}", ":1:2:", "<.Foo>: can't evaluate field Foo"),
    ("{{.State.Foo}}", ":1:8:", "<.State.Foo>: can't evaluate field Foo"),
    ("x\n{{.Name}}\n {{.Bad}}", ":3:3:", "<.Bad>: can't evaluate field Bad"),
    ("{{.State.Health.Status}}", ":1:15:", "nil pointer evaluating .Status"),
    ("{{.Name.x}}", ":1:7:", "can't evaluate field x in type string"),
    ('{{.Name "x"}}', ":1:2:", "Name has arguments but cannot be invoked"),
    ("{{index .Args 5}}", ":1:2:", "<index .Args 5>: error calling index: index out of range: 5"),
    ('{{slice "hello" 9}}', ":1:2:", "index out of range: 9"),
    ("{{eq .ID 1}}", ":1:2:", "incompatible types for comparison"),
    ("{{eq .Args .Args}}", ":1:2:", "non-comparable type"),
    ("{{len 3}}", ":1:2:", "len of type int"),
    ("{{not}}", ":1:2:", "wrong number of args for not: want 1 got 0"),
    ("{{range .Name}}x{{end}}", ":1:8:", "range can't iterate over /web"),
    ("{{.Label}}", ":1:2:", "error calling Label"),
]


@pytest.mark.parametrize(("text", "expected"), GOOD)
def test_a_template_gives_what_go_gives(text: str, expected: str) -> None:
    assert Template(text).render(DATA) == expected


@pytest.mark.parametrize(("text", "place", "reason"), BAD)
def test_a_mistake_names_its_place_and_its_reason(text: str, place: str, reason: str) -> None:
    with pytest.raises(TemplateError) as caught:
        Template(text).render(DATA)
    message = str(caught.value)
    assert message.startswith("template: " + place)
    assert reason in message


def test_a_misspelt_field_is_told_its_neighbour_or_what_there_is() -> None:
    with pytest.raises(TemplateError, match=r"Perhaps \.Name is meant\."):
        Template("{{.Nmae}}").render(DATA)
    with pytest.raises(TemplateError, match=r"Known here: \.Status \.Running"):
        Template("{{.State.Completely}}").render(DATA)


def test_a_template_that_cannot_be_read_exits_as_docker_s_and_one_that_cannot_be_filled_as_any_failure() -> None:
    with pytest.raises(TemplateError) as caught:
        Template("{{.Name")
    assert caught.value.exit_code == 64
    with pytest.raises(TemplateError) as caught:
        Template("{{.Nothing}}").render(DATA)
    assert caught.value.exit_code == 1


@given(st.text(alphabet='{}.$ "|()-ifend/*`\\range,:=', max_size=30))
def test_any_text_is_rendered_or_refused(text: str) -> None:
    try:
        Template(text).render(DATA)
    except TemplateError:
        pass


@given(
    st.lists(
        st.sampled_from(
            ["{{", "}}", "if ", "range ", "end", "else", ".Args", ".", "$x", ":=", " ", "with ", '"a"', "|", "len", "("]
        ),
        max_size=14,
    )
)
def test_any_order_of_words_is_rendered_or_refused(words: list[str]) -> None:
    try:
        Template("".join(words)).render(DATA)
    except TemplateError:
        pass
