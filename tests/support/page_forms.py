"""The pages as a browser without scripts uses them: cookies kept, forms filled in, sent, and the answer followed."""

from __future__ import annotations

import html.parser
from typing import Any
from urllib.parse import urlencode, urlsplit

from support.our_registry import Answer
from support.registry_worker import Worker


class Page(html.parser.HTMLParser):
    """A page's elements and text; complains about what is not closed."""

    VOID = {"meta", "link", "input", "img", "br", "hr", "rect"}

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(text)
        assert self._open == [], self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    def links(self) -> list[str]:
        return [str(attributes["href"]) for tag, attributes in self.tags if tag == "a" and attributes.get("href")]

    def value(self, name: str) -> str:
        """What the first field of a name holds."""
        return next(str(a.get("value") or "") for tag, a in self.tags if tag == "input" and a.get("name") == name)

    def offers(self, do: str) -> bool:
        """Whether there is a button that does this."""
        return any(tag == "button" and a.get("name") == "do" and a.get("value") == do for tag, a in self.tags)


class Visitor:
    """Somebody with a browser."""

    def __init__(self, worker: Worker, name: str = "", password: str = "") -> None:
        self.worker = worker
        self.cookie = ""
        self.csrf = ""
        if name:
            self.log_in(name, password or f"the password of {name}")

    def log_in(self, name: str, password: str) -> Answer:
        answer = self.send("/login", name=name, password=password)
        self.cookie = answer.headers.get("set-cookie", "").partition(";")[0]
        if self.cookie:
            self.csrf = self.page("/account/password").value("csrf")
        return answer

    def get(self, path: str) -> Answer:
        return self.worker.client("GET", path, **self._headers())

    def page(self, path: str, status: int = 200) -> Page:
        answer = self.get(path)
        assert answer.status == status, (path, answer)
        return checked(answer)

    def send(self, path: str, do: str = "", headers: dict[str, str] | None = None, **fields: Any) -> Answer:
        """Send a form; `csrf` among the fields is another token than one's own."""
        body = urlencode({"csrf": self.csrf, "do": do, **fields}).encode()
        kind = {"Content_Type": "application/x-www-form-urlencoded"}
        return self.worker.client("POST", path, body, **{**self._headers(), **kind, **(headers or {})})

    def does(self, path: str, do: str, **fields: Any) -> Page:
        """Send a form that works, and see where it leads."""
        answer = self.send(path, do, **fields)
        assert answer.status in (200, 303), (path, do, answer)
        if answer.status == 200:
            return checked(answer)
        where = answer.headers["location"]
        assert where.startswith("/") and not where.startswith("//")
        return self.page(where)

    def refused(self, path: str, do: str, status: int, **fields: Any) -> Page:
        """Send a form that does not."""
        answer = self.send(path, do, **fields)
        assert answer.status == status, (path, do, answer)
        return checked(answer)

    def _headers(self) -> dict[str, str]:
        return {"Cookie": self.cookie} if self.cookie else {}


def checked(answer: Answer) -> Page:
    """A page, once it is seen that nothing in it could run."""
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "no-store" in answer.headers["cache-control"]
    read = Page(answer.body.decode())
    for tag, attributes in read.tags:
        assert "style" not in attributes, (tag, attributes)
        assert not any(name.startswith("on") for name in attributes), (tag, attributes)
        assert tag not in ("style", "iframe", "object", "base")
        if tag == "script":
            assert str(attributes["src"]).startswith("/_/")
        if tag == "img":
            assert str(attributes["src"]).startswith("/_/")
        if tag == "form" and attributes.get("method") == "post":
            assert urlsplit(str(attributes["action"])).netloc == ""
        if tag == "a":
            assert str(attributes.get("href", "/")).partition(":")[0].lower() not in ("javascript", "data", "vbscript")
    return read
