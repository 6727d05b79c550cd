"""The options of sendmail(1), as Postfix takes them: what matters here is kept, the rest is let pass."""

WITH_VALUE = frozenset("ABCDFLNORVXbdefhopqr")
"""The value stands in the same word or is the next one."""

WITHOUT = frozenset("GIUcimnstvx")

VALUE_HERE_ONLY = frozenset("dq")
"""Without a value in the same word they have none."""

MODES = {"bm": "", "bs": "s", "bp": "p", "bi": "i"}

OPEN = frozenset(("never", "success", "failure", "delay"))


class Usage(Exception):
    """What was asked for cannot be done: `kind` names the sentence, `word` what it is about."""

    def __init__(self, kind: str, word: str = "") -> None:
        super().__init__(kind, word)
        self.kind = kind
        self.word = word


class Options:
    """`mode`: "" send, s speak SMTP, p show the queue, i make aliases anew, q try the queue."""

    def __init__(self) -> None:
        self.mode = ""
        self.sender: str | None = None
        self.name = ""
        self.from_head = False
        self.dot_ends = True
        self.verbose = False
        self.notify = ""
        self.ret = ""
        self.envid = ""
        self.recipients: list[str] = []

    def take(self, letter: str, value: str) -> None:
        match letter:
            case "b":
                self._set_mode(value)
            case "f" | "r":
                self.sender = value
            case "F":
                self.name = value
            case "i":
                self.dot_ends = False
            case "o":
                self.dot_ends = self.dot_ends and value != "i"
            case "O":
                self.dot_ends = self.dot_ends and value.lower().replace(" ", "") != "ignoredots=true"
            case "t":
                self.from_head = True
            case "v":
                self.verbose = True
            case "q":
                self.mode = "q"
            case "I":
                self.mode = "i"
            case "N" | "R" | "V":
                self._set_report(letter, value)

    def _set_mode(self, value: str) -> None:
        if f"b{value}" not in MODES:
            raise Usage("option", f"-b{value}")
        self.mode = MODES[f"b{value}"]

    def _set_report(self, letter: str, value: str) -> None:
        """RFC 3461 4.1, 4.3, 4.4."""
        low = value.lower()
        if letter == "N":
            words = low.split(",")
            if not OPEN.issuperset(words) or ("never" in words and len(words) > 1):
                raise Usage("notify", value)
            self.notify = low.upper()
        elif letter == "R":
            if low not in ("full", "hdrs"):
                raise Usage("return", value)
            self.ret = low.upper()
        else:
            self.envid = "".join(_xtext(byte) for byte in value.encode("utf-8", "replace"))


def parse(words: list[str]) -> Options:
    """Options come first; the rest, and what follows "--", are recipients. Raises Usage."""
    options = Options()
    at = 0
    while at < len(words) and words[at].startswith("-") and words[at] != "-":
        word = words[at]
        at += 1
        if word == "--":
            break
        at = _take_word(options, word, words, at)
    options.recipients = words[at:]
    return options


def _take_word(options: Options, word: str, words: list[str], at: int) -> int:
    """Single letters may stand together; returns where the next word is."""
    for place, letter in enumerate(word[1:], 1):
        if letter in WITHOUT:
            options.take(letter, "")
            continue
        if letter not in WITH_VALUE:
            raise Usage("option", f"-{letter}")
        value = word[place + 1 :]
        if not value and letter not in VALUE_HERE_ONLY:
            if at == len(words):
                raise Usage("value", f"-{letter}")
            value, at = words[at], at + 1
        options.take(letter, value)
        break
    return at


def _xtext(byte: int) -> str:
    """RFC 3461 4."""
    return chr(byte) if 33 <= byte <= 126 and byte not in b"+=" else f"+{byte:02X}"
