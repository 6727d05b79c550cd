"""How a client speaks, as a short text: the verbs up to its first message, in its own spelling.

Programs keep their habits whoever's password they use. The guard compares this text, and only for equality:
`EHLO=name STARTTLS EHLO=name AUTH:PLAIN+`. A repeated verb stands once.
"""

LETTERS = 200
_VERB_LETTERS = 10
_MECHANISMS = (b"PLAIN", b"LOGIN", b"SCRAM-SHA-256", b"OAUTHBEARER", b"XOAUTH2")


def note(manner: str, word: bytes, argument: bytes) -> str:
    """`manner` with one more command."""
    token = _token(word, argument)
    if len(manner) + len(token) >= LETTERS or manner.endswith(token):
        return manner
    return f"{manner} {token}" if manner else token


def _token(word: bytes, argument: bytes) -> str:
    if not word.isalpha() or len(word) > _VERB_LETTERS:
        return "?"
    verb = word.decode("ascii")
    match verb.upper():
        case "HELO" | "EHLO":
            return f"{verb}={_kind_of_name(argument)}"
        case "AUTH":
            mechanism, _, initial = argument.partition(b" ")
            known = mechanism.decode("ascii") if mechanism.upper() in _MECHANISMS else "?"
            return f"{verb}:{known}{'+' if initial else ''}"
        case "MAIL" | "RCPT":
            return verb + ("_" if b": " in argument[:6] else "")
        case _:
            return verb


def _kind_of_name(name: bytes) -> str:
    if name.startswith(b"["):
        return "literal"
    return "name" if b"." in name else "word"
