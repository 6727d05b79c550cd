"""Reads a play's ledger, its last disk and its last queue: was every promise kept?"""

from sekisho.store.maildir import name_of
from sim.theatre import STATE, Play


def broken_promises(play: Play) -> list[str]:
    """One line for each recipient who was promised a letter and has neither letter, report nor row."""
    ledger = play.ledger
    mail = letters(play)
    for _, text in mail.items():
        ledger.read_report(text)
    rows = {row.delivery for row in play.rows}
    broken = []
    for message, (sender, recipients, _) in ledger.promised.items():
        for recipient in recipients:
            key = (message, recipient)
            delivery = ledger.delivery_of[key]
            kept = (
                key in ledger.arrived
                or any(name.startswith(name_of(delivery)) for name in mail)
                or key in ledger.reported
                or (sender is None and key in ledger.unreported)
                or delivery in rows
                or delivery in ledger.purged
                or message in play.purged_reports
            )
            if not kept:
                broken.append(f"{message} for {recipient} from {sender}: nothing became of {delivery}")
    return broken


def letters(play: Play) -> dict[str, bytes]:
    """Every letter in our mailboxes, by file name."""
    paths = [path for path in play.disk.names if path.startswith(f"{STATE}/mail/") and "/tmp/" not in path]
    return {path.rpartition("/")[2]: play.disk.read(path) for path in paths}


def twins(play: Play) -> list[str]:
    """Deliveries that stand twice in one Maildir, or came to a peer more often than crashes and doubts
    explain."""
    bases = [path.rpartition(",S=")[0] for path in play.disk.names if "/new/" in path or "/cur/" in path]
    found = [base for base in set(bases) if bases.count(base) > 1]
    for key, times in play.ledger.arrived.items():
        if times > 1 + play.ledger.crashes + play.ledger.ambiguous.get(key, 0):
            found.append(f"{key} arrived {times} times")
    return found
