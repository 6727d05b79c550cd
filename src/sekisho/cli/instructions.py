"""`sekisho account instructions`: what a `.qmail` or `.forward` file would have done with a letter."""

import os
from typing import Any

import click

from sekisho.cli import speech
from sekisho.cli.household import refusals
from sekisho.cli.where import config_option, json_option, settings
from sekisho.host import HostClock
from sekisho.model.phrase import Phrase, phrase
from sekisho.model.text import printable
from sekisho.queue.instructions import FILE_BYTES, Flaw, Format, Instructions, Step, parse
from sekisho.service.names import Refusal, account_address
from sekisho.store import guarded, standing_orders
from sekisho.store.directory import Directory
from sekisho.store.paths import divided
from sekisho.world import Unavailable


@click.command("instructions")
@click.argument("address")
@click.option("--file", "file", default="", help="Read this file, as if it stood in the account's folder.")
@click.option(
    "--format",
    "style",
    type=click.Choice(["qmail", "forward"]),
    default="qmail",
    show_default=True,
    help="Which rules it is read by.",
)
@config_option
@json_option
def instructions(address: str, file: str, style: Format, path: str, as_json: bool) -> None:
    """List what the .qmail or .forward file of an account says, step by step. Ends with 1 if a line is wrong.

    Example: sekisho account instructions hello+list@example.com --format qmail
    """
    with refusals():
        key = account_address(address)
        name, found = _read_file(file, key, style) if file else _in_force(settings(path).state, key, style)
    if as_json:
        speech.emit(_row(name, style, found))
    else:
        speech.tell(f"{name}:" if name else phrase("No file: into the mailbox."))
        every: list[Step | Flaw] = [*found.steps, *found.flaws]
        for each in sorted(every, key=lambda each: each.line):
            speech.tell(phrase("  line {line}: {what}", line=each.line, what=_what(each)))
        if not found.steps and not found.flaws:
            speech.tell(phrase("  the letter is thrown away"))
    if found.flaws:
        speech.fail(phrase("mail waits until the file is mended"))


def _in_force(state: str, key: str, style: Format) -> tuple[str, Instructions]:
    directory = Directory.open(state, HostClock())
    mailbox = directory.mailbox(key)
    account, extension = divided(key, mailbox)
    try:
        orders = standing_orders.read(state, account, extension, style)
    except Unavailable as trouble:
        raise Refusal(_not_believed(trouble)) from trouble
    finally:
        directory.close()
    return ("", parse(b"", style, account)) if orders is None else (orders.file, orders.instructions)


def _read_file(file: str, key: str, style: Format) -> tuple[str, Instructions]:
    try:
        text = guarded.read(os.path.realpath(file), FILE_BYTES)
    except Unavailable as trouble:
        raise Refusal(_not_believed(trouble)) from trouble
    if text is None:
        raise Refusal(phrase("there is no file {name}", name=printable(file)))
    return printable(file), parse(text.data, style, key)


def _not_believed(trouble: Unavailable) -> Phrase:
    return phrase("{name} cannot be used: {why}", name=printable(trouble.door), why=trouble.why)


def _what(each: Step | Flaw) -> Phrase:
    text = printable(each.text)
    if isinstance(each, Flaw):
        return _wrong(each, text)
    match each.kind:
        case "mailbox":
            return phrase("into the mailbox")
        case "maildir":
            return phrase("into the Maildir {path}", path=text)
        case "mbox":
            return phrase(
                "into the mbox {path}, which this server does not write: mail waits until the line is "
                "{path}/ (a Maildir) or another",
                path=text,
            )
        case "forward":
            return phrase("to {address}", address=text)
    return phrase("to the program {command}", command=text)


def _wrong(flaw: Flaw, text: str) -> Phrase:
    match flaw.why:
        case "blank":
            return phrase("WRONG: the first line is blank")
        case "address":
            return phrase("WRONG: {text} is not a mail address", text=text)
        case "place":
            return phrase("WRONG: {text} is not a place below the folder of the account", text=text)
        case "too_many":
            return phrase("WRONG: too many steps, from here on")
        case "forward_only":
            return phrase("WRONG: {text} in a list that only forwards (+list)", text=text)
    return phrase("WRONG: {text} is not understood", text=text)


def _row(name: str, style: Format, found: Instructions) -> dict[str, Any]:
    return {
        "file": name,
        "format": style,
        "steps": [{"line": step.line, "kind": step.kind, "text": step.text} for step in found.steps],
        "flaws": [{"line": flaw.line, "why": flaw.why, "text": flaw.text} for flaw in found.flaws],
        "forward_only": found.forward_only,
        "discards": not found.steps and not found.flaws,
    }
