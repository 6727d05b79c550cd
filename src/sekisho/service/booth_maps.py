"""The clerks for Postfix's lookup tables: `locked` says whether mail of a login is stopped, `senders` to whom
an address belongs.
"""

from sekisho.checks.takeover import held_under
from sekisho.model.address import normal
from sekisho.model.config import Config
from sekisho.service.front import Front
from sekisho.wire.lookup import Lookup, SocketmapServer, TcpTableServer
from sekisho.world import Unavailable

LOCKED, SENDERS = "locked", "senders"

Machine = SocketmapServer | TcpTableServer


class SocketmapClerk:
    def __init__(self, name: str, front: Front) -> None:
        self._name = name
        self._front = front

    def configure(self, config: Config) -> None:
        self._settings = config.listen[self._name]
        self._domain = self._settings.domain or config.hostname

    def machine(self) -> Machine:
        return SocketmapServer()

    async def answer(self, machine: Machine, question: Lookup) -> None:
        key = normal(question.key)
        table = question.table or self._settings.table
        try:
            if table == SENDERS:
                self._owners(machine, key)
            elif table == LOCKED:
                await self._standing(machine, key)
            else:
                machine.later(f"there is no table {table}")
        except Unavailable as trouble:
            machine.later(trouble.why)

    def _owners(self, machine: Machine, address: str) -> None:
        """For smtpd_sender_login_maps. A key that is no address is what Postfix asks beside it."""
        owners = self._front.stores.directory.senders_of(address) if "@" in address.strip("@") else ()
        if owners:
            machine.found(", ".join(owners))
        else:
            machine.missing()

    async def _standing(self, machine: Machine, login: str) -> None:
        """For check_sasl_access, which does not know where the client is: only an account that is locked
        everywhere stands here.
        """
        if not login.strip("@"):
            machine.missing()
            return
        account = login if "@" in login else f"{login}@{self._domain}"
        judgement = await self._front.judging.consult(account, "")
        if judgement.standing.treatment == "refuse":
            machine.found(f"550 5.7.1 {judgement.refusal}")
        elif judgement.standing.treatment == "hold":
            machine.found(f"HOLD sekisho: {held_under(judgement.standing)}")
        elif not judgement.fresh and self._settings.silent == "closed":
            machine.later("the guard does not answer")
        else:
            machine.missing()


class TcpTableClerk(SocketmapClerk):
    def machine(self) -> Machine:
        return TcpTableServer()
