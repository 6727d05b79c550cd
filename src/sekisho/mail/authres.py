"""The Authentication-Results field (RFC 8601): what we found, in the words that other programs read.

Everything in it that a stranger chose is a domain that was checked, or quoted.
"""

import re

from sekisho.mail.arc import Arc
from sekisho.mail.dkim import Dkim
from sekisho.mail.dmarc import Dmarc
from sekisho.mail.spf import Question, Spf
from sekisho.mail.spf_field import folded, quoted

_ADDRESS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@[A-Za-z0-9.-]{1,253}")
_SELECTOR = re.compile(r"[A-Za-z0-9._-]{1,200}")


def results_field(hostname: str, results: list[str]) -> bytes:
    """One folded field ending in CRLF."""
    return folded(["Authentication-Results:", *words(hostname, results)]).encode("ascii") + b"\r\n"


def words(hostname: str, results: list[str]) -> list[str]:
    """Where the field may be folded."""
    text = "; ".join([hostname, *(results or ["none"])])
    return text.split(" ")


def spf_result(question: Question, spf: Spf) -> str:
    """Our own rules are no word of the domain's: they are told in a comment only."""
    result = "none" if spf.ours else spf.result
    if spf.identity == "helo":
        return f"spf={result} smtp.helo={_value(question.helo)}"
    return f"spf={result} smtp.mailfrom={_value(question.sender)}"


def dkim_results(found: tuple[Dkim, ...]) -> list[str]:
    return [_dkim(each) for each in found] or ["dkim=none"]


def _dkim(found: Dkim) -> str:
    key = f"{found.bits}-bit key" if found.bits else ""
    said = "; ".join(filter(None, (found.why, key)))
    text = f"dkim={found.result}" + (f" ({_comment(said)})" if said else "")
    if found.domain:
        text += f" header.d={_value(found.domain)}"
    if _SELECTOR.fullmatch(found.selector):
        text += f" header.s={found.selector}"
    if found.algorithm:
        text += f" header.a={found.algorithm}"
    return text + (f" header.b={_value(found.mark)}" if found.mark else "")


def dmarc_result(found: Dmarc) -> str:
    said = f"p={found.policy}" if found.policy else found.why
    text = f"dmarc={found.result}" + (f" ({_comment(said)})" if said else "")
    return f"{text} header.from={_value(found.domain)}" if found.domain else text


def arc_result(found: Arc) -> str:
    said = " ".join(filter(None, (f"i={found.sets}" if found.sets else "", found.why)))
    return f"arc={found.result}" + (f" ({_comment(said)})" if said else "")


def _value(text: str) -> str:
    return text if _ADDRESS.fullmatch(text) else quoted(text)


def _comment(text: str) -> str:
    return "".join(char if " " <= char <= "~" and char not in '()\\";' else " " for char in text[:120])
