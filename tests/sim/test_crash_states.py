"""Every state in which a power cut may leave a disk, at every sync that the spool or a Maildir makes.

Between two syncs nothing is promised, so the moments just before each are the ones that differ.
"""

import hashlib

from mailbag import Mailbag
from sekisho.model.config import Config, Queue
from sekisho.model.delivery import State
from sekisho.model.letter import Settled
from sekisho.model.quota import Quota
from sekisho.model.selector import Selector
from sekisho.model.verdict import Reply
from sekisho.service.quotas import Purse, Quotas
from sekisho.store.bodies import parts_of
from sekisho.store.maildir import Maildir, name_of
from sekisho.store.spool import Draft, Spool
from sekisho.store.spool_actions import Order, Verb
from sekisho.testing.disk import FakeDisk
from sekisho.testing.loop import run
from sekisho.testing.world import fakes
from sim.cutting import Story, cut_at_every_sync

SPOOL = "/state/spool"
DONE = Reply(250, "2.0.0", "ok")


async def spool_life(disk: FakeDisk, story: Story) -> None:
    """Two small letters and a large one are kept; one is held, purged and restored; two are delivered."""
    doors = fakes(disk=disk)
    mailbag = Mailbag(doors)
    spool = Spool.open(SPOOL, doors.world, Queue())
    drafts = [await _keep(spool, mailbag, story, size) for size in (100, 30_000, 300_000)]
    verbs: tuple[Verb, ...] = ("hold", "purge", "restore")
    for verb in verbs:
        await spool.perform(Order(mailbag.ident(), verb, Selector(ids=(drafts[0].message.id,))))
        story.held.add(drafts[0].message.id)
    for draft in drafts[1:]:
        story.ending.add(draft.message.id)
        await spool.settled([Settled(draft.deliveries[0].id, draft.message.id, State.DONE, DONE, 1)])
        story.ended.add(draft.message.id)
    spool.close()


async def _keep(spool: Spool, mailbag: Mailbag, story: Story, size: int) -> Draft:
    body = (b"%08d" % size) * (size // 8) + b"\r\n"
    draft = mailbag.draft(body=body)
    if size > 256 * 1024:
        big = spool.big_body(draft.message.id)
        await big.write(body)
        await big.finish()
        await spool.submit(draft, big)
    else:
        await spool.submit(draft, (body,))
    story.kept[draft.message.id] = draft.message.digest
    return draft


async def maildir_life(disk: FakeDisk, story: Story) -> None:
    """One letter into a new mailbox."""
    mailbag = Mailbag(fakes(disk=disk))
    delivery = mailbag.draft().deliveries[0].id
    story.ending.add(delivery)
    Maildir(disk, "/mail").deliver(delivery, [b"Subject: x\n\n", b"words\n" * 3000])
    story.kept[delivery] = ""


class Limited:
    """Everybody has a megabyte."""

    def quota(self, account: str) -> Quota:
        return Quota(1_000_000)

    def account(self, address: str) -> None:
        return None


def purse_of(disk: FakeDisk) -> tuple[Quotas, Purse]:
    quotas = Quotas(fakes(disk=disk).world, Config(hostname="mx.example.com"), Limited())
    return quotas, quotas.purse("bob@example.com", Maildir(disk, "/mail"))


async def limited_life(disk: FakeDisk, story: Story) -> None:
    """One letter into a mailbox with a quota, as the local role brings it."""
    delivery = Mailbag(fakes(disk=disk)).draft().deliveries[0].id
    story.ending.add(delivery)
    quotas, purse = purse_of(disk)
    assert not quotas.is_full(purse, 20_000)
    purse.maildir.deliver(delivery, [b"Subject: x\n\n", b"words\n" * 3000], quotas.booking(purse))
    story.kept[delivery] = ""


async def look(disk: FakeDisk, story: Story) -> None:
    """What was promised is there, whole; what ended is not; nothing is there in part."""
    spool = Spool.open(SPOOL, fakes(disk=disk).world, Queue())
    assert () == spool.recovered.missing
    rows = {row.message: row for row in await spool.select(Selector(states=tuple(State)), 100)}
    assert set(story.kept) - story.ending <= set(rows)
    assert not story.ended & set(rows)
    for message in rows:
        letter = await spool.letter(message)
        assert letter.message.digest == hashlib.sha256(b"".join(parts_of(letter, disk))).hexdigest()
    assert all(rows[message].held_by for message in story.held)
    assert set(disk.list(f"{SPOOL}/bodies")) <= set(rows)
    spool.close()


def test_no_legal_state_of_the_disk_breaks_the_spool() -> None:
    """Kept letters are whole, ended ones gone, held ones held, body files named, in every state."""
    moments: set[int] = set()
    states = 0
    for cut, state, story in cut_at_every_sync(spool_life):
        run(look(state, story))
        moments.add(cut)
        states += 1
    assert 12 < len(moments)
    assert 200 < states


def test_no_legal_state_of_the_disk_breaks_a_mailbox() -> None:
    """A letter in `new` is whole; once delivered it is there; tried again it is there once."""
    states = 0
    for _, state, story in cut_at_every_sync(maildir_life):
        states += 1
        (delivery,) = story.ending
        maildir = Maildir(state, "/mail")
        assert delivery in maildir.deliveries() or not story.kept
        if delivery not in maildir.deliveries():
            maildir.deliver(delivery, [b"Subject: x\n\n", b"words\n" * 3000])
        (name,) = state.list("/mail/new")
        assert name.startswith(name_of(delivery))
        assert 12 + 6 * 3000 == len(state.read(f"/mail/new/{name}"))
    assert 3 < states


def test_no_legal_state_of_the_disk_breaks_a_mailbox_with_a_quota() -> None:
    """What was said to be delivered is there, whole; the file of the quota is right, or is made anew."""
    states = 0
    for _, state, story in cut_at_every_sync(limited_life):
        states += 1
        (delivery,) = story.ending
        quotas, purse = purse_of(state)
        assert delivery in purse.maildir.deliveries() or not story.kept
        assert not quotas.is_full(purse, 20_000)
        if delivery not in purse.maildir.deliveries():
            purse.maildir.deliver(delivery, [b"Subject: x\n\n", b"words\n" * 3000], quotas.booking(purse))
        (name,) = state.list("/mail/new")
        assert 12 + 6 * 3000 == len(state.read(f"/mail/new/{name}"))
        assert not quotas.is_full(purse, 900_000) and quotas.is_full(purse, 1_000_001)
    assert 5 < states
