"""SPF (RFC 7208): may this host send mail in the name of this domain?

Pure: what is asked of the DNS is awaited from `Names`, and nothing else is waited for. A whole evaluation
asks at most ten terms with lookups, ten names of each, and ends when a third of them finds nothing.
"""

from msgspec import Struct

from sekisho.mail.names import Ip, Names, Silent, askable, host_name, ip_of, is_within
from sekisho.mail.spf_macros import (
    EXPLAINING,
    LETTERS,
    MacroError,
    Piece,
    Setting,
    asks_validated,
    compiled,
    expanded,
    shortened,
)
from sekisho.mail.spf_record import Record, SpfError, Term, chosen, parsed, with_local

LOOKUPS_MAX = 10  # RFC 7208 4.6.4, as are the next three
VOID_MAX = 2
HOSTS_MAX = 10
POINTERS_MAX = 10
EXPLANATION_BYTES = 400
"""What is shown of a domain's explanation: it becomes a line of a reply."""


class Question(Struct, frozen=True):
    """Who says to be whom. `sender` "" is asked as postmaster of the name in HELO (RFC 7208 2.4).

    `rules` are asked before the trailing `all` of the domain's own record, `guess` is read where it has no
    record; what they decide is no word of the domain's.
    """

    ip: str
    helo: str
    sender: str
    receiver: str = "unknown"
    seconds: int = 0
    rules: tuple[Term, ...] = ()
    guess: bytes = b""


class Spf(Struct, frozen=True):
    """`result` as in RFC 7208 2.6; `domain` the one asked about; `mechanism` what decided; `why` in words.

    `ours`: decided by our own rules or guess: it counts for nothing but our own policy.
    """

    result: str
    domain: str = ""
    identity: str = "mailfrom"
    mechanism: str = ""
    explanation: str = ""
    why: str = ""
    ours: bool = False


def own_explanation(text: str, question: Question) -> str:
    """The settings' words for a refusal; macros that need the DNS say "unknown"."""
    ip = ip_of(question.ip)
    if ip is None:
        return ""
    sender = question.sender or f"postmaster@{question.helo}"
    domain = sender.rpartition("@")[2]
    setting = Setting(
        ip, sender, question.helo, domain, receiver=question.receiver, seconds=question.seconds
    )
    try:
        words = [expanded(compiled(word, LETTERS + EXPLAINING), setting) for word in text.split(" ")]
    except MacroError:
        return ""
    said = " ".join(words)[:EXPLANATION_BYTES]
    return said if said.isascii() and said.isprintable() else ""


class PermError(Exception):
    """RFC 7208 2.6.7."""


async def check(question: Question, names: Names) -> Spf:
    identity = "mailfrom" if question.sender else "helo"
    sender = question.sender or f"postmaster@{question.helo}"
    local, _, domain = sender.rpartition("@")
    name = host_name(domain)
    ip = ip_of(question.ip)
    if not name or ip is None:
        return Spf("none", domain, identity, why="no domain that could have a record")  # RFC 7208 4.3
    setting = Setting(
        ip, f"{local or 'postmaster'}@{name}", question.helo, name, "unknown", question.receiver,
        question.seconds,
    )  # fmt: skip
    return await _Evaluation(names, question, setting, identity).run()


class _Evaluation:
    """One question. It counts what it has asked."""

    def __init__(self, names: Names, question: Question, setting: Setting, identity: str) -> None:
        self._names = names
        self._question = question
        self._setting = setting
        self._identity = identity
        self._lookups = 0
        self._void = 0
        self._validated: tuple[str, ...] | None = None
        self._decided: Term | None = None

    async def run(self) -> Spf:
        domain = self._setting.domain
        try:
            result, explains = await self._host(domain, self._question.rules)
        except Silent as silence:
            return Spf("temperror", domain, self._identity, why=str(silence))
        except (PermError, SpfError) as error:
            return Spf("permerror", domain, self._identity, why=str(error))
        if result == "none" and self._question.guess:
            return await self._guessed()
        term = self._decided
        mechanism = term.text if term is not None else "default" if result != "none" else ""
        ours = term is not None and term.local
        explanation = await self._explanation(explains) if result == "fail" and explains else ""
        return Spf(result, domain, self._identity, mechanism, explanation, ours=ours)

    async def _guessed(self) -> Spf:
        """What the domain would probably say if it had a record."""
        domain, record = self._setting.domain, parsed(b"v=spf1 " + self._question.guess)
        if isinstance(record, SpfError):
            return Spf("none", domain, self._identity, why=f"the guess of the settings: {record}")
        try:
            result, _ = await self._record(record, domain)
        except (Silent, PermError, SpfError) as error:
            return Spf("none", domain, self._identity, why=f"no record, and no guess: {error}")
        mechanism = self._decided.text if self._decided is not None else "default"
        return Spf(result, domain, self._identity, mechanism, why="guessed, there is no record", ours=True)

    async def _host(self, domain: str, rules: tuple[Term, ...] = ()) -> tuple[str, "_Explains | None"]:
        """RFC 7208 4: check_host()."""
        name = host_name(domain)
        if not name:
            return "none", None
        text = chosen(await self._names.texts(name) or ())
        if text is None:
            return "none", None
        record = parsed(text)
        if isinstance(record, SpfError):
            raise SpfError(f"{name}: {record}")
        return await self._record(with_local(record, rules), name)

    async def _record(self, record: Record, domain: str) -> tuple[str, "_Explains | None"]:
        for term in record.terms:
            if await self._matches(term, domain):
                self._decided = term
                return term.result, _explains(record, domain)
        if record.redirect is None or any(term.kind == "all" for term in record.terms):
            self._decided = None
            return "neutral", None  # RFC 7208 4.7
        self._count_lookup()
        target = await self._target(record.redirect, domain)
        result, explains = await self._host(target)
        if result == "none":
            raise PermError(f"redirect to {target or 'no domain'}, which has no record")  # RFC 7208 6.1
        return result, explains

    async def _matches(self, term: Term, domain: str) -> bool:
        ip = self._setting.ip
        match term.kind:
            case "all":
                return True
            case "ip4":
                return ip.bits == 32 and ip.within(term.net, term.length4)
            case "ip6":
                return ip.bits == 128 and ip.within(term.net, term.length6)
        self._count_lookup()
        target = await self._target(term.name, domain)
        match term.kind:
            case "include":
                return await self._includes(target)
            case "a":
                return self._met(await self._addresses(target), term)
            case "mx":
                return await self._is_mail_host(target, term)
            case "exists":
                found = await self._asked(target, 4)
                self._count_void(found)
                return bool(found)
            case _:
                return any(is_within(name, target) for name in await self._own_names() if target)

    async def _includes(self, target: str) -> bool:
        result, _ = await self._host(target)
        if result == "none":
            raise PermError(f"include of {target or 'no domain'}, which has no record")  # RFC 7208 5.2
        return result == "pass"

    async def _is_mail_host(self, target: str, term: Term) -> bool:
        name = askable(target)
        hosts = await self._names.mail_hosts(name) if name else None
        self._count_void(hosts)
        if hosts and len(hosts) > HOSTS_MAX:
            raise PermError(f"{target} has more than {HOSTS_MAX} mail hosts")
        for host in hosts or ():
            if self._met(await self._asked(host, self._setting.ip.family), term):
                return True
        return False

    async def _addresses(self, target: str) -> tuple[str, ...]:
        found = await self._asked(target, self._setting.ip.family)
        self._count_void(found)
        return found

    async def _asked(self, target: str, family: int) -> tuple[str, ...]:
        name = askable(target)
        return (await self._names.addresses(name, family) if name else None) or ()

    def _met(self, addresses: tuple[str, ...], term: Term) -> bool:
        ip = self._setting.ip
        length = term.length4 if ip.bits == 32 else term.length6
        found = [each for each in map(ip_of, addresses) if each is not None and each.bits == ip.bits]
        return any(ip.within(each.value, length) for each in found)

    async def _own_names(self) -> tuple[str, ...]:
        """The names of the client that lead back to it (RFC 7208 5.5). Trouble means that there are none."""
        if self._validated is None:
            self._validated = tuple(await self._validate(self._setting.ip))
        return self._validated

    async def _validate(self, ip: Ip) -> list[str]:
        try:
            pointers = await self._names.hosts_of(ip.text) or ()
        except Silent:
            return []
        found = []
        for pointer in pointers[:POINTERS_MAX]:
            name = pointer.removesuffix(".").lower()
            try:
                addresses = await self._asked(name, ip.family)
            except Silent:
                continue
            if any(ip_of(address) == ip for address in addresses):
                found.append(name)
        return found

    async def _target(self, pieces: tuple[Piece, ...] | None, domain: str) -> str:
        """What the name of a term is here. Letters that no name has make it one that does not exist."""
        if pieces is None:
            return domain
        if len(pieces) == 1 and isinstance(pieces[0], str):
            return shortened(pieces[0].lower())
        return shortened(expanded(pieces, await self._setting_in(pieces, domain))).lower()

    async def _setting_in(self, pieces: tuple[Piece, ...], domain: str) -> Setting:
        given, validated = self._setting, "unknown"
        if asks_validated(pieces):
            names = await self._own_names()
            validated = (
                next((name for name in names if name == domain), "")
                or next((name for name in names if is_within(name, domain)), "")
                or next(iter(names), "unknown")
            )
        return Setting(given.ip, given.sender, given.helo, domain, validated, given.receiver, given.seconds)

    def _count_lookup(self) -> None:
        self._lookups += 1
        if self._lookups > LOOKUPS_MAX:
            raise PermError(f"more than {LOOKUPS_MAX} terms with lookups")

    def _count_void(self, found: tuple[str, ...] | None) -> None:
        """RFC 7208 4.6.4: terms whose question has no answer."""
        if found:
            return
        self._void += 1
        if self._void > VOID_MAX:
            raise PermError(f"more than {VOID_MAX} lookups that find nothing")

    async def _explanation(self, explains: "_Explains") -> str:
        """RFC 7208 6.2: whatever is wrong with it, there is no explanation then."""
        try:
            name = askable(await self._target(explains.name, explains.domain))
            texts = await self._names.texts(name) or () if name else ()
            if len(texts) != 1 or not texts[0].isascii() or len(texts[0]) > 4 * EXPLANATION_BYTES:
                return ""
            words = [compiled(word, LETTERS + EXPLAINING) for word in texts[0].decode("ascii").split(" ")]
            pieces = tuple(piece for word in words for piece in word)
            setting = await self._setting_in(pieces, explains.domain)
        except (Silent, MacroError):
            return ""
        text = " ".join([expanded(word, setting) for word in words])
        return text if text.isascii() and text.isprintable() else ""


class _Explains(Struct, frozen=True):
    name: tuple[Piece, ...]
    domain: str


def _explains(record: Record, domain: str) -> _Explains | None:
    return _Explains(record.explanation, domain) if record.explanation is not None else None
