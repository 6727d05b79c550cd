"""Our own user names and passwords at smarthosts: read when a session is opened, and told of when refused.

A password never goes out in the clear, except to this machine. A login that is refused bounces nothing: it is
ours to mend, so the letter waits and the operator is told, once an hour.
"""

from collections.abc import Callable

from sekisho.model.config import Outbound, Smarthost
from sekisho.model.delivery import Route, Tls
from sekisho.model.secret import Secret
from sekisho.model.text import printable
from sekisho.queue.hops import Hop, is_address, is_self
from sekisho.queue.routes import SMARTHOST
from sekisho.service.calling import NO_LOGIN, Call, Login, NoCall
from sekisho.world import Unavailable, World

ALARM_S = 3600
ALARMS_MAX = 1000
"""Most smarthosts whose alarms are remembered."""

SECOND = 1_000_000
NONCE_BYTES = 18

Alarm = Callable[[str, str, str], None]


class Logins:
    """`alarm` as a `boundary`'s record."""

    def __init__(self, world: World, alarm: Alarm) -> None:
        self._world = world
        self._alarm = alarm
        self._alarmed: dict[str, int] = {}

    async def login(self, route: Route, outbound: Outbound) -> Login:
        """Raises Unavailable when the password cannot be read."""
        host = smarthost_of(route, outbound)
        if host is None and ":" in route.credentials:
            raise Unavailable(route.credentials, "the settings do not name it any more")
        if host is None or not host.user:
            return NO_LOGIN
        password = await self._password(host.password_file)
        return Login(host.user, password, self._world.chance.data(NONCE_BYTES).hex())

    async def _password(self, path: str) -> Secret:
        try:
            content: bytes = await self._world.spawn.thread(lambda: self._world.disk.read(path))
        except FileNotFoundError as error:
            self._tell(path, "the file with the password is not there")
            raise Unavailable(path, "the file with the password is not there") from error
        return Secret(content.strip(b"\r\n"))

    def learn(self, route: Route, session: Call | NoCall) -> None:
        if not route.credentials:
            return
        if isinstance(session, Call):
            self._alarmed.pop(str(session.hop), None)
        elif session.stage == "login":
            self._tell(str(session.hop), str(session.reply))

    def _tell(self, about: str, why: str) -> None:
        now = self._world.clock.ticks()
        if self._alarmed.get(about, 0) > now:
            return
        if len(self._alarmed) >= ALARMS_MAX:
            self._alarmed.clear()
        self._alarmed[about] = now + ALARM_S * SECOND
        self._alarm("no login at the smarthost; its mail waits", printable(about), printable(why))


def smarthost_of(route: Route, outbound: Outbound) -> Smarthost | None:
    """Whose user and password `Route.credentials` stands for."""
    kind, _, name = route.credentials.partition(":")
    if kind != SMARTHOST:
        return None
    return outbound.smarthosts.get(name) if name else outbound.smarthost


def encrypted_for(login: Login, hop: Hop, tls: Tls) -> Tls:
    """A password needs encryption, whatever is usual for the host (RFC 4954 4)."""
    if not login.user or tls not in (Tls.NONE, Tls.OPPORTUNISTIC):
        return tls
    here = not hop.port or (is_address(hop.address) and is_self(hop.address))
    return tls if here and tls is Tls.NONE else Tls.REQUIRED
