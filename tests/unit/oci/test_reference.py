"""References: the distribution grammar, Docker's short forms, and what is refused."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from hardtack.oci.digest import Digest
from hardtack.oci.errors import InvalidReference
from hardtack.oci.reference import Reference, api_host, is_domain, is_path, is_tag

SHA256 = "sha256:" + "0123456789abcdef" * 4
SHA512 = "sha512:" + "0123456789abcdef" * 8

GOOD = [
    # text, canonical, familiar
    ("nginx", "docker.io/library/nginx", "nginx"),
    ("nginx:1.27", "docker.io/library/nginx:1.27", "nginx:1.27"),
    ("user/app", "docker.io/user/app", "user/app"),
    ("docker.io/nginx", "docker.io/library/nginx", "nginx"),
    ("docker.io/library/nginx", "docker.io/library/nginx", "nginx"),
    ("index.docker.io/nginx:a", "docker.io/library/nginx:a", "nginx:a"),
    ("index.docker.io/user/app", "docker.io/user/app", "user/app"),
    ("library/nginx", "docker.io/library/nginx", "nginx"),
    ("library/a/b", "docker.io/library/a/b", "library/a/b"),
    ("localhost/app", "localhost/app", "localhost/app"),
    ("localhost:5000/app:1", "localhost:5000/app:1", "localhost:5000/app:1"),
    ("localhost", "docker.io/library/localhost", "localhost"),
    ("localhost:5000", "docker.io/library/localhost:5000", "localhost:5000"),
    ("example.com/a/b/c:t", "example.com/a/b/c:t", "example.com/a/b/c:t"),
    ("example.com:443/a", "example.com:443/a", "example.com:443/a"),
    ("127.0.0.1:5000/a", "127.0.0.1:5000/a", "127.0.0.1:5000/a"),
    ("[::1]:5000/a/b", "[::1]:5000/a/b", "[::1]:5000/a/b"),
    ("[2001:db8::1]/a", "[2001:db8::1]/a", "[2001:db8::1]/a"),
    ("Host/app", "Host/app", "Host/app"),
    ("EXAMPLE.com/app", "EXAMPLE.com/app", "EXAMPLE.com/app"),
    ("xn--n3h.com/app", "xn--n3h.com/app", "xn--n3h.com/app"),
    ("a.b", "docker.io/library/a.b", "a.b"),
    ("a_b/c__d/e-f/g---h", "docker.io/a_b/c__d/e-f/g---h", "a_b/c__d/e-f/g---h"),
    ("0/1:2", "docker.io/0/1:2", "0/1:2"),
    ("docker.io/localhost/app", "docker.io/localhost/app", "docker.io/localhost/app"),
    ("docker.io/a.b/app", "docker.io/a.b/app", "docker.io/a.b/app"),
    ("nginx:_x.Y-z", "docker.io/library/nginx:_x.Y-z", "nginx:_x.Y-z"),
    ("nginx:" + "t" * 128, "docker.io/library/nginx:" + "t" * 128, "nginx:" + "t" * 128),
    (f"nginx@{SHA256}", f"docker.io/library/nginx@{SHA256}", f"nginx@{SHA256}"),
    (f"nginx:1@{SHA256}", f"docker.io/library/nginx:1@{SHA256}", f"nginx:1@{SHA256}"),
    (f"h:1/a@{SHA512}", f"h:1/a@{SHA512}", f"h:1/a@{SHA512}"),
    ("a" * 63, "docker.io/library/" + "a" * 63, "a" * 63),
    ("library/" + "a" * 64, "docker.io/library/" + "a" * 64, "library/" + "a" * 64),
    ("a" * 247, "docker.io/library/" + "a" * 247, "a" * 247),
]

BAD = [
    # text, words of the reason
    ("", "empty"),
    ("a" * 64, "image id"),
    ("Nginx", "must be lowercase"),
    ("nginX:1", "must be lowercase"),
    ("user/App", "must be lowercase"),
    ("localhost:5000/App", "must be lowercase"),
    ("nginx:", "the tag is empty"),
    ("nginx:" + "t" * 129, "longer than 128"),
    ("nginx:-x", "a tag has"),
    ("nginx:.x", "a tag has"),
    ("nginx:a/b", "no port"),
    ("x/nginx:a/b", "a tag has"),
    ("nginx:a:b", "a tag has"),
    ("nginx:é", "a tag has"),
    ("nginx@", "digest"),
    ("nginx@sha256:abc", "digest"),
    ("nginx@md5:" + "a" * 32, "digest"),
    (f"nginx@{SHA256}@{SHA256}", "digest"),
    (f"nginx@{SHA256}:tag", "digest"),
    (f"@{SHA256}", "empty"),
    (":tag", "empty"),
    ("/nginx", "empty"),
    ("nginx/", "empty"),
    ("a//b", "empty"),
    ("localhost/", "empty"),
    ("localhost:5000/", "empty"),
    (".a", "no part of a name"),
    ("a.", "no part of a name"),
    ("-a", "no part of a name"),
    ("a-", "no part of a name"),
    ("a..b", "no part of a name"),
    ("a___b", "no part of a name"),
    ("a._b", "no part of a name"),
    ("a-_b", "no part of a name"),
    ("a.-b", "no part of a name"),
    ("a b", "no part of a name"),
    ("a\nb", "no part of a name"),
    ("a\x00b", "no part of a name"),
    ("../etc", "host name"),
    ("..", "no part of a name"),
    ("a/../b", "no part of a name"),
    ("ünix", "no part of a name"),
    ("https://example.com/a", "no port"),
    ("http://a", "no port"),
    ("-host.com/a", "host name"),
    ("host-.com/a", "host name"),
    ("host..com/a", "host name"),
    ("under_score.com/a", "host name"),
    ("ho$t.com/a", "host name"),
    ("Ünix/a", "host name"),
    ("host:/a", "no port"),
    ("host:port/a", "no port"),
    ("host:99999/a", "no port"),
    ("host:٣/a", "no port"),
    ("[::1/a", "IPv6"),
    ("[]:1/a", "IPv6"),
    ("[::1]5000/a", "IPv6"),
    ("[::1%25eth0]/a", "IPv6"),
    ("[::1]:x/a", "no port"),
    ("a" * 248, "longer than 255"),
    ("h.com/" + "a/" * 128 + "a", "longer than 255"),
    ("x" * 100_000, "longer than"),
    ("a." * 130 + "b/c", "longer than 255"),
]


@pytest.mark.parametrize(("text", "canonical", "familiar"), GOOD)
def test_every_good_form_has_one_canonical_and_one_short_form(text: str, canonical: str, familiar: str) -> None:
    reference = Reference.parse(text)
    assert str(reference) == canonical
    assert reference.familiar() == familiar
    assert Reference.parse(canonical) == reference
    assert Reference.parse(familiar) == reference
    assert hash(Reference.parse(familiar)) == hash(reference)


@pytest.mark.parametrize(("text", "reason"), BAD)
def test_every_bad_form_is_refused_with_its_reason(text: str, reason: str) -> None:
    with pytest.raises(InvalidReference) as caught:
        Reference.parse(text)
    message = str(caught.value)
    assert message.startswith("invalid reference format: ")
    assert reason in message
    assert message.isprintable()
    assert len(message) < 500


@pytest.mark.parametrize("value", [None, 7, b"nginx", ["nginx"]])
def test_what_is_no_text_is_refused(value: object) -> None:
    with pytest.raises(InvalidReference):
        Reference.parse(value)  # type: ignore[arg-type]


def test_an_upper_case_repository_is_told_its_lower_case_form() -> None:
    with pytest.raises(InvalidReference) as caught:
        Reference.parse("MyApp")
    assert "repository name (MyApp) must be lowercase. Write it in lower case: myapp." in str(caught.value)


def test_tags_and_digests_are_exchanged_and_latest_is_added_only_when_both_are_missing() -> None:
    plain = Reference.parse("nginx")
    assert str(plain.tagged()) == "docker.io/library/nginx:latest"
    assert str(plain.with_tag("1")) == "docker.io/library/nginx:1"
    assert str(plain.with_tag("1").tagged()) == "docker.io/library/nginx:1"
    pinned = plain.with_tag("1").with_digest(Digest(SHA256))
    assert str(pinned) == f"docker.io/library/nginx@{SHA256}"
    assert pinned.tagged() is pinned
    assert pinned.repository == plain.repository == "docker.io/library/nginx"
    assert pinned.with_tag("2").digest is None
    with pytest.raises(InvalidReference):
        plain.with_tag("no tag")


def test_docker_hub_is_reached_at_its_api_host() -> None:
    assert api_host(Reference.parse("nginx").domain) == "registry-1.docker.io"
    assert api_host(Reference.parse("localhost:5000/a").domain) == "localhost:5000"


_word = st.from_regex(r"[a-z0-9]{1,8}", fullmatch=True)
_component = st.builds(
    lambda words, separators: "".join(w + s for w, s in zip(words, [*separators, ""], strict=False)) or "x",
    st.lists(_word, min_size=1, max_size=3),
    st.lists(st.sampled_from([".", "_", "__", "-", "--", "----"]), min_size=2, max_size=2),
).map(lambda text: text.rstrip("._-"))
_path = st.lists(_component, min_size=1, max_size=4).map("/".join)
_domain = st.sampled_from(
    ["docker.io", "index.docker.io", "localhost", "h:1", "a.b-c.d", "[::1]", "[::1]:5000", "127.0.0.1:80", "UP"]
)
_tag = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}", fullmatch=True)


@given(_domain, _path, st.none() | _tag, st.none() | st.sampled_from([SHA256, SHA512]))
def test_parsing_what_was_written_gives_the_same_reference(
    domain: str, path: str, tag: str | None, digest: str | None
) -> None:
    text = f"{domain}/{path}" + (f":{tag}" if tag else "") + (f"@{digest}" if digest else "")
    reference = Reference.parse(text)
    assert Reference.parse(str(reference)) == reference
    assert Reference.parse(reference.familiar()) == reference
    assert (reference.tag, reference.digest) == (tag or "", digest)
    assert is_path(reference.path)
    assert is_domain(reference.domain)


@given(st.text(max_size=80))
def test_any_text_gives_a_reference_or_a_refusal_and_nothing_else(text: str) -> None:
    try:
        reference = Reference.parse(text)
    except InvalidReference as error:
        assert str(error).isprintable()
    else:
        assert Reference.parse(str(reference)) == reference
        assert Reference.parse(reference.familiar()) == reference


@given(st.text(alphabet="aA0._-/:@[]", max_size=40))
def test_texts_made_of_the_grammar_s_own_characters_never_confuse_it(text: str) -> None:
    try:
        reference = Reference.parse(text)
    except InvalidReference:
        return
    assume(reference.digest is None)
    assert is_path(reference.path)
    assert reference.tag == "" or is_tag(reference.tag)
    assert Reference.parse(reference.familiar()) == reference
