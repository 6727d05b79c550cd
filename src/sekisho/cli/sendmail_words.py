"""What `sekisho-sendmail` says when a letter is not taken."""

import contextlib

from sekisho.cli import speech
from sekisho.model.phrase import Phrase, phrase
from sekisho.model.text import printable


def sentence(kind: str, text: str) -> Phrase:
    text = printable(text, 500)
    match kind:
        case "option":
            return phrase("there is no option {word}", word=text)
        case "value":
            return phrase("{word} wants a value", word=text)
        case "notify":
            return phrase("-N is never, or some of success, failure and delay, not {word}", word=text)
        case "return":
            return phrase("-R is full or hdrs, not {word}", word=text)
        case "nobody":
            return phrase("nobody is named as recipient: name them, or use -t")
        case "address":
            return phrase("{word} is not an address, nor a list of addresses", word=text)
        case "gone":
            return phrase("nothing was sent: the mail server does not answer ({why})", why=text)
        case "unsure":
            return phrase(
                "the connection broke before the server said whether it has the letter; it may have"
            )
        case "lost" | "silent":
            return phrase(
                "nothing was sent: the connection to the mail server broke ({why})", why=text or "-"
            )
        case "size":
            return phrase("nothing was sent: a letter has at most {size} bytes here", size=text)
        case "reading":
            return phrase("nothing was sent: the letter cannot be read ({why})", why=text)
    return phrase("nothing was sent: {reply}", reply=text)


def complain(kind: str, text: str) -> None:
    with contextlib.suppress(OSError):  # nobody reads it
        speech.complain(sentence(kind, text))
