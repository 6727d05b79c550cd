"""The Received-SPF field (RFC 7208 9.1): what SPF said, for readers behind us.

Everything in it that a stranger chose is quoted, and nothing but visible ASCII gets in.
"""

import re

from sekisho.mail.spf import Question, Spf

WIDTH = 76
"""Where a line is folded, in letters."""

QUOTED_MAX = 320
_ATOM = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,320}")
_SAID = {
    "pass": "{domain} designates {ip} as permitted sender",
    "fail": "{domain} does not designate {ip} as permitted sender",
    "softfail": "{domain} discourages use of {ip} as permitted sender",
    "neutral": "{ip} is neither permitted nor denied by {domain}",
    "none": "{domain} does not provide an SPF record",
    "permerror": "{domain} has an SPF record that cannot be read",
    "temperror": "the record of {domain} could not be looked up",
}


def received_spf(question: Question, spf: Spf) -> bytes:
    """One folded field ending in CRLF."""
    said = _SAID[spf.result].format(domain=_comment(spf.domain or "the sender"), ip=question.ip)
    if spf.ours:
        said += " by rules of the receiver"
    pairs = [
        ("client-ip", question.ip),
        ("envelope-from", question.sender),
        ("helo", question.helo),
        ("identity", spf.identity),
        ("receiver", question.receiver),
        ("mechanism", spf.mechanism),
        ("problem", spf.why if spf.result in ("permerror", "temperror") else ""),
    ]
    words = [f"{name}={quoted(value)};" for name, value in pairs if value or name == "envelope-from"]
    start = f"Received-SPF: {spf.result} ({question.receiver}: {said})"
    return folded([*start.split(" "), *words]).rstrip(";").encode("ascii") + b"\r\n"


def folded(words: list[str]) -> str:
    """Words in lines of a header field, none longer than it must be."""
    lines = [words[0]]
    for word in words[1:]:
        if len(lines[-1]) + len(word) < WIDTH:
            lines[-1] += f" {word}"
        else:
            lines.append(f"\t{word}")
    return "\r\n".join(lines)


def quoted(value: str) -> str:
    """A value as an atom or a quoted string, visible ASCII only (RFC 5322 3.2.4)."""
    text = _visible(value)
    if text and text == value and _ATOM.fullmatch(text):
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _visible(value: str) -> str:
    return "".join(char if " " <= char <= "~" else "?" for char in value[:QUOTED_MAX])


def _comment(value: str) -> str:
    return "".join(char if char.isalnum() or char in "-._" else "?" for char in _visible(value))
