"""A whole front on loopback: the real reception, a small directory, a spool in memory, scripted roles."""

import asyncio
import base64
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path

import trustme
from msgspec import Struct
from msgspec.structs import replace

from sekisho.host import HostDisk, HostSpawn
from sekisho.model.address import domain_of, normal
from sekisho.model.config import Config, Listen
from sekisho.model.event import Event
from sekisho.model.incident import Standing
from sekisho.model.letter import Draft
from sekisho.model.selector import Selector
from sekisho.queue.aliases import Led
from sekisho.service.channel import LocalChannel
from sekisho.service.messages import Judge, Request, Verified, VerifyPassword
from sekisho.service.reception import Reception, Roles
from sekisho.store.bodies import BigBody
from sekisho.testing import loop
from sekisho.testing.world import FakeChance, FakeClock, FakeDns
from sekisho.world import Promise, Unavailable, World

HOST = "mx.example.com"
PASSWORD = "correct horse"
CANARY = "canary-8f3a-password"
LISTEN = {
    "mx": Listen(address="127.0.0.1:0", protocol="smtp"),
    "submission": Listen(address="127.0.0.1:0", protocol="submission"),
    "submissions": Listen(address="127.0.0.1:0", protocol="submissions"),
    "lmtp": Listen(address="127.0.0.1:0", protocol="lmtp"),
    "qmail": Listen(address="127.0.0.1:0", protocol="smtp", speaks="qmail"),
}
Judging = Callable[[Event], Standing | Awaitable[Standing]]


class FewPeople:
    """alice, bob and postmaster live here; `team` leads to two of them, `far` to somebody elsewhere."""

    def __init__(self) -> None:
        self.addresses: dict[str, tuple[str, ...]] = {
            "alice@example.com": ("alice@example.com",),
            "bob@example.com": ("bob@example.com",),
            "postmaster@example.com": ("postmaster@example.com",),
            "team@example.com": ("alice@example.com", "bob@example.com"),
            "far@example.com": ("alice@far.example",),
        }
        self.trouble: Exception | None = None

    def is_local_domain(self, domain: str) -> bool:
        return domain == "example.com"

    def resolve(self, address: str) -> tuple[str, ...] | None:
        if self.trouble is not None:
            raise self.trouble
        return self.addresses.get(normal(address))

    def named(self, address: str) -> bool:
        return normal(address) in self.addresses

    def list_owner(self, address: str) -> str:
        return ""

    def names(self, address: str) -> tuple[str, ...] | None:
        return self.resolve(address)

    def may_send_as(self, account: str, address: str) -> bool:
        return address in ("", account)

    def first_domain(self) -> str:
        return "example.com"

    def lead(self, key: str) -> Led:
        return Led(self.resolve(key) or ())

    def quota(self, account: str) -> None:
        return None

    def mailbox(self, address: str) -> str:
        return f"mail/{domain_of(address)}/{address.partition('@')[0]}/Maildir"


class Kept(Struct):
    draft: Draft
    content: bytes


class Held(Struct, frozen=True):
    messages: int = 0
    bytes: int = 0


class MemorySpool:
    """Keeps drafts in a list. `trouble` is raised in place of keeping, `gate` makes keeping wait."""

    def __init__(self, folder: Path, world: World) -> None:
        self._folder = folder
        self._world = world
        self.kept: list[Kept] = []
        self.held = Held()
        self.free = 10**12
        self.accepting = True
        self.trouble: Exception | None = None
        self.gate: asyncio.Event | None = None

    def submit(self, draft: Draft, body: Sequence[bytes] | BigBody) -> Promise:
        return asyncio.ensure_future(self._keep(draft, body))

    async def _keep(self, draft: Draft, body: Sequence[bytes] | BigBody) -> None:
        if self.gate is not None:
            await self.gate.wait()
        if self.trouble is not None:
            raise self.trouble
        content = Path(body.path).read_bytes() if isinstance(body, BigBody) else b"".join(body)
        self.kept.append(Kept(draft, content))

    def big_body(self, message_id: str) -> BigBody:
        return BigBody(str(self._folder), message_id, self._world)

    def free_bytes(self) -> int:
        return self.free

    async def count(self, selector: Selector) -> Held:
        return self.held


class Client:
    """Says lines, reads replies."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.patience_s = 60
        self.writer = writer

    async def reply(self) -> str:
        """All lines of one reply, or "" when the server has closed."""
        lines = []
        while line := await asyncio.wait_for(self.reader.readline(), self.patience_s):
            lines.append(line.decode().rstrip("\r\n"))
            if line[3:4] == b" ":
                return "\n".join(lines)
        return ""

    async def say(self, *lines: str) -> str:
        """Sends them in one write and returns the last reply."""
        self.writer.write("".join(line + "\r\n" for line in lines).encode("latin-1"))
        replies = [await self.reply() for _ in lines]
        return replies[-1]

    async def raw(self, data: bytes) -> str:
        self.writer.write(data)
        return await self.reply()

    async def start_tls(self) -> None:
        assert (await self.say("STARTTLS")).startswith("220")
        await self.writer.start_tls(insecure(), server_hostname=HOST)

    async def login(self, account: str = "alice@example.com", password: str = PASSWORD) -> str:
        secret = base64.b64encode(f"\0{account}\0{password}".encode()).decode()
        return await self.say(f"AUTH PLAIN {secret}")

    async def letter(self, sender: str, *recipients: str, text: str = "Subject: hi\r\n\r\nhello\r\n") -> str:
        """The reply to the first command that is refused, else to the final dot."""
        for line in (f"MAIL FROM:<{sender}>", *(f"RCPT TO:<{each}>" for each in recipients), "DATA"):
            answer = await self.say(line)
            if answer[0] not in "23":
                return answer
        return await self.raw(text.encode("latin-1") + b".\r\n")

    async def closed(self) -> bool:
        """Whether the server has, and says nothing more."""
        rest = await asyncio.wait_for(self.reader.read(), self.patience_s)
        self.close()
        return rest == b""

    def close(self) -> None:
        self.writer.transport.abort()


def insecure() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


class Stage:
    """`judge` is what the guard says, `verify` what the vault says; both may be replaced by the test."""

    def __init__(self, folder: Path, **settings: object) -> None:
        self.folder = folder
        self.config = replace(Config(hostname=HOST, state=str(folder), zone="UTC", listen=LISTEN), **settings)
        self.clock = FakeClock()
        self.spawn = HostSpawn(2)
        self.world = World(self.clock, FakeChance(), FakeDns(), None, HostDisk(), self.spawn)  # type: ignore[arg-type]
        self.directory = FewPeople()
        self.spool = MemorySpool(folder, self.world)
        self.events: list[Event] = []
        self.judged: list[Event] = []
        self.judge: Judging = lambda event: Standing(event.account, event.address)
        self.verify: Callable[[VerifyPassword], Verified] = self._verified
        self.reception: Reception
        self.bound: dict[str, str] = {}
        self.clients: list[Client] = []

    def of(self, kind: type[Event]) -> list[Event]:
        return [event for event in self.events if isinstance(event, kind)]

    async def start(self) -> None:
        write_certificate(self.folder)
        roles = Roles(
            watch=LocalChannel(self._watch, self._record_trouble, encode=True),
            vault=LocalChannel(self._vault, self._record_trouble, encode=True, reveal=True),
        )
        self.reception = Reception(
            self.world, self.config, self.directory, roles, self.spool, self.events.append
        )
        self.bound = await self.reception.listen()

    async def client(self, listener: str = "mx") -> Client:
        """Connected, not yet greeted."""
        address = self.bound[listener]
        if address.startswith("unix:"):
            streams = await asyncio.open_unix_connection(address.removeprefix("unix:"))
        else:
            host, _, port = address.rpartition(":")
            tls = insecure() if listener == "submissions" else None
            streams = await asyncio.open_connection(host, int(port), ssl=tls)
        self.clients.append(Client(*streams))
        return self.clients[-1]

    async def greeted(self, listener: str = "mx") -> Client:
        client = await self.client(listener)
        assert (await client.reply()).startswith("220 mx.example.com ")
        assert (await client.say("EHLO client.example")).startswith("250")
        return client

    async def encrypted(self) -> Client:
        """On the submission port, under TLS, not logged in."""
        client = await self.greeted("submission")
        await client.start_tls()
        assert "AUTH PLAIN LOGIN" in await client.say("EHLO client.example")
        return client

    async def logged_in(self) -> Client:
        client = await self.encrypted()
        assert (await client.login()).startswith("235 2.7.0")
        return client

    async def _watch(self, request: Request) -> Struct | None:
        assert isinstance(request, Judge)
        self.judged.append(request.event)
        answer = self.judge(request.event)
        return answer if isinstance(answer, Standing) else await answer

    async def _vault(self, request: Request) -> Struct | None:
        assert isinstance(request, VerifyPassword)
        return self.verify(request)

    def _verified(self, request: VerifyPassword) -> Verified:
        if request.login not in self.directory.addresses:
            return Verified("", "unknown_user", "beef")
        right = request.password.reveal() == PASSWORD.encode()
        return Verified(request.login) if right else Verified("", "password", "cafe")

    def _record_trouble(self, what: str, about: str, trace: str) -> None:
        raise AssertionError(f"{what} {about} {trace}")


@contextlib.asynccontextmanager
async def staged(stage: Stage, patience_s: float = 240) -> AsyncIterator[Stage]:
    await stage.start()
    try:
        async with asyncio.timeout(patience_s):
            yield stage
    finally:
        for client in stage.clients:
            client.close()
        await stage.reception.stop()
        await stage.spawn.stop()


def play(stage: Stage, scene: Callable[[Stage], Awaitable[None]]) -> None:
    """Runs one scene on a started stage."""

    async def run() -> None:
        async with staged(stage):
            await scene(stage)

    asyncio.run(run())


def play_patiently(stage: Stage, scene: Callable[[Stage], Awaitable[None]]) -> None:
    """The same in virtual time: what would be waited for an hour is waited for at once."""

    async def run() -> None:
        async with staged(stage, patience_s=7200):
            await scene(stage)

    loop.run(run())


async def until(happened: Callable[[], bool]) -> None:
    for _ in range(6000):
        if happened():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it has not happened")


def write_certificate(folder: Path) -> None:
    keys = folder / "keys"
    if not keys.exists():
        keys.mkdir()
        certificate = CERTIFICATE.issue_cert(HOST)
        certificate.private_key_pem.write_to_path(str(keys / "key.pem"))
        certificate.cert_chain_pems[0].write_to_path(str(keys / "cert.pem"))


CERTIFICATE = trustme.CA()
UNAVAILABLE = Unavailable("spool", "disk full")
