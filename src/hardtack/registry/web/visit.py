"""One visit to a page: who visits, what they ask for, what they typed."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from hardtack.registry.access import Action, allowed
from hardtack.registry.accounts.changes import By, administers, is_admin
from hardtack.registry.events.audit import audit
from hardtack.registry.metadata.rows import LATEST
from hardtack.registry.repositories.store import Namespaces, Repositories
from hardtack.registry.repositories.undelete import Undelete
from hardtack.registry.web import text
from hardtack.registry.web.addresses import number
from hardtack.registry.web.page import LoginNeeded, Missing

if TYPE_CHECKING:
    from hardtack.registry.access import Caller
    from hardtack.registry.accounts.accounts import Accounts
    from hardtack.registry.accounts.sessions import Session
    from hardtack.registry.service import Service
    from hardtack.registry.web.loading import Loader

_TYPED_LIMIT = 200_000


@dataclass(frozen=True, slots=True)
class Visit:
    """A request for a page, or a form of it that was sent.

    Attributes:
        session: of somebody who has logged in.
        address: of the client.
        host: by which the visitor calls the registry, for commands to copy.
        path: decoded.
        query: the first value of each parameter.
        at: what the path names: repository, reference, user and so on.
        fields: of the form that was sent.
        failed: the form that was sent and could not be done; `trouble` says why.
    """

    service: Service
    loader: Loader
    caller: Caller
    session: Session | None
    address: str
    host: str
    path: str
    query: dict[str, str]
    at: dict[str, str] = field(default_factory=dict)
    fields: dict[str, str] = field(default_factory=dict)
    failed: str = ""
    trouble: str = ""

    @property
    def name(self) -> str:
        """The repository that the path names."""
        return self.at["repository"]

    @property
    def user(self) -> str:
        """The visitor's name; "" for anybody."""
        return "" if self.session is None else self.session.caller.name

    @property
    def by(self) -> By:
        """The visitor as the author of a change."""
        return By.of(self.caller, self.address)

    @property
    def accounts(self) -> Accounts:
        """The registry's accounts. Raises Missing: it has none."""
        if self.service.accounts is None:
            raise Missing
        return self.service.accounts

    @property
    def has_accounts(self) -> bool:
        """Whether one can log in here."""
        return self.service.accounts is not None

    @property
    def repositories(self) -> Repositories:
        """What repositories are beside their content."""
        return Repositories(self.service.database, self.service.config.access.default_visibility)

    @property
    def namespaces(self) -> Namespaces:
        """What is set for namespaces."""
        return Namespaces(self.service.database)

    @property
    def undelete(self) -> Undelete:
        """What was deleted."""
        return Undelete(self.service.database, self.service.config.retention.undelete)

    @property
    def is_admin(self) -> bool:
        """Whether the visitor runs the registry and has logged in as that."""
        return self.session is not None and is_admin(self.caller)

    def rules(self, account: str) -> bool:
        """Whether the visitor decides about a namespace."""
        return self.session is not None and administers(self.caller, f"{account}/**")

    def may(self, action: Action, repository: str) -> bool:
        """Whether to offer an action: it was granted, and the visitor is logged in, since forms need a session."""
        return self.session is not None and allowed(self.caller, action, repository)

    def need(self, action: Action, repository: str) -> None:
        """Raises Missing: the visitor may not do this, and no page offered it to them."""
        if not self.may(action, repository):
            raise Missing

    def logged_in(self) -> Session:
        """The visitor's session. Raises LoginNeeded, Missing: there are no accounts."""
        if self.session is None:
            raise LoginNeeded if self.service.accounts is not None else Missing
        return self.session

    @property
    def before(self) -> int:
        """The number before which a page of a list begins; on its first page that of no entry yet."""
        found = number(self.query.get("before", ""))
        return LATEST if found is None else found

    def field(self, name: str) -> str:
        """What was typed into a field of one line."""
        return self.fields.get(name, "").strip()

    def lines(self, name: str) -> str:
        """What was typed into a field of many lines, with line ends as everybody but browsers writes them."""
        return self.fields.get(name, "").replace("\r\n", "\n").replace("\r", "\n")

    def typed(self, forms: str, name: str, otherwise: str = "") -> str:
        """What a field holds when the page is shown: what was typed, if the form could not be done.

        Args:
            forms: words that the buttons beside the field send, with blanks between them.
        """
        return self.fields.get(name, "")[:_TYPED_LIMIT] if self.failed in forms.split() else otherwise

    def with_trouble(self, form: str, trouble: str) -> Visit:
        """The same visit, to show the page again after a form could not be done."""
        return replace(self, failed=form, trouble=text.clean(trouble, 1000))

    async def note(self, action: str, target: str, detail: str = "") -> None:
        """Write down in the audit log what was done."""
        database = self.service.database
        await database.note(audit, self.caller.name, self.address, action, target, detail, database.now())
