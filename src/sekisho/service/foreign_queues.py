"""Makes a desk for the queue that the settings or the command line name."""

import hashlib
import os
from collections.abc import Callable

from sekisho.model.config import Config, Hand
from sekisho.service import tools
from sekisho.service.exim_hands import EximQueue, exim_program
from sekisho.service.exim_hands import Where as EximWhere
from sekisho.service.foreign_desk import ForeignQueue
from sekisho.service.foreign_select import Names
from sekisho.service.foreign_standing import StandingDesk
from sekisho.service.postfix_hands import PostfixQueue, Where
from sekisho.service.qmail_hands import QmailQueue
from sekisho.service.qmail_hands import Where as QmailWhere
from sekisho.service.sendmail_hands import SendmailQueue
from sekisho.service.sendmail_hands import Where as SendmailWhere
from sekisho.store.taken import Taken
from sekisho.world import Disk, Unavailable

Clock = Callable[[], int]


def desk_of(
    config: Config, hand: Hand, disk: Disk, now: Clock, network_of: Callable[[str], str] | None = None
) -> StandingDesk:
    """Raises Unavailable. Copies over the age or size of the settings go first."""
    queue, place = _opened(hand)
    mark = hashlib.sha256(os.path.realpath(place).encode("utf-8", "surrogateescape")).hexdigest()[:8]
    taken = Taken(disk, os.path.join(config.state, "hands", f"{hand.program}-{mark}"))
    names = Names(hand.domain or config.hostname, network_of)
    desk = StandingDesk(queue, taken, now, names)
    desk.tidy(config.queue.keep_purged_s, config.queue.keep_purged_bytes)
    return desk


def post(hand: Hand, recipient: str, letter: bytes) -> None:
    """A notice of ours, from the null sender, through their sendmail. Raises Unavailable."""
    config = {"MAIL_CONFIG": hand.config} if hand.program == "postfix" and hand.config else {}
    match hand.program:
        case "exim":
            words = [exim_program(hand.tools), *_sendmail_options(hand), "-i", "-f", "<>", "--", recipient]
        case "qmail":
            words = [tools.find("qmail-inject", hand.tools), "-a", "-f", "", "--", recipient]
        case _:
            path = tools.find("sendmail", hand.tools)
            words = [path, *_sendmail_options(hand), "-i", "-f", "<>", "--", recipient]
    with tools.running(words, letter, config) as ran:
        if ran.code != 0:
            raise Unavailable("sendmail", ran.said)


def _sendmail_options(hand: Hand) -> list[str]:
    return [f"-C{hand.config}"] if hand.config and hand.program in ("exim", "sendmail") else []


def _opened(hand: Hand) -> tuple[ForeignQueue, str]:
    """The queue, and the folder that tells it from others of its kind."""
    match hand.program:
        case "postfix":
            postfix = PostfixQueue(Where(hand.config, hand.tools))
            return postfix, postfix.folder
        case "exim":
            exim = EximQueue(EximWhere(hand.config, hand.tools))
            return exim, exim.folder
        case "sendmail":
            sendmail = SendmailQueue(SendmailWhere(hand.config, hand.queue, hand.tools))
            return sendmail, sendmail.folder
        case "qmail":
            qmail = QmailQueue(QmailWhere(hand.queue))
            return qmail, qmail.folder
