"""HTML as a reader sees it: the words that are shown, without what is hidden from the eye.

Spammers hide random prose for filters and cut words with tags that show nothing. Hidden is what a browser
does not show (`display:none`, comments, titles) and what nobody can read (letters of the ground's colour, of
no size). One pass over the text, bounded in depth; it never raises.
"""

import html
import re
import unicodedata

from msgspec import Struct

LOOKED_CHARS = 400_000
"""Of a longer page only this much is looked at."""

DEPTH_MAX = 100
"""Elements within elements; deeper ones are taken to look like the one around them."""

TINY_PX = 2.0
"""Letters of this size or less are read by nobody."""

NEAR = 36
"""Sum of the differences of red, green and blue (0 to 765) below which letters are lost in their ground."""

RULES_MAX = 200
"""Most rules of a page's own style sheets that are read."""

SHEET_CHARS = 20_000
"""Of a longer style sheet only this much is read."""

_UNSEEN = frozenset((
    "head", "title", "style", "script", "noscript", "template", "object", "iframe", "noframes",
    "select", "textarea", "datalist", "svg",
))  # fmt: skip
_VOID = frozenset((
    "br", "hr", "img", "input", "meta", "link", "area", "base", "col", "embed", "param", "source", "track",
    "wbr",
))  # fmt: skip
_BREAKS = frozenset((
    "p", "div", "br", "tr", "li", "ul", "ol", "table", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "blockquote",
    "center", "pre", "dl", "dt", "dd", "form", "body", "html",
))  # fmt: skip
_CELLS = frozenset(("td", "th"))
_END = {tag: re.compile(f"</{tag}", re.I) for tag in ("style", "script")}
_NAME = re.compile(r"/?([a-zA-Z][a-zA-Z0-9:]{0,20})")
_QUOTED_TAG = re.compile(r"<[^>\"']*(?:\"[^\"]*\"[^>\"']*|'[^']*'[^>\"']*)*>")
_ATTRIBUTE = re.compile(
    r"([a-zA-Z-]{1,20})\s{0,20}=\s{0,20}(?:\"([^\"]{0,2000})\"|'([^']{0,2000})'|([^\s\"'>]{1,500}))"
)
_PROPERTY = re.compile(r"([a-z-]{1,30})\s{0,10}:\s{0,10}([^;]{1,200})")
_SIZE = re.compile(r"(-?\d{0,4}\.?\d{0,4})\s?(px|pt|em|rem|%)?")
_RGB = re.compile(r"rgba?\(\s?(\d{1,3})[,\s]{1,3}(\d{1,3})[,\s]{1,3}(\d{1,3})")
_BLANKS = re.compile(r"[ \t\r\n\f\v\xa0]+")
_MANY_LINES = re.compile(r"\n[ \n]*\n")

_COLOURS = {
    "white": 0xFFFFFF, "black": 0, "red": 0xFF0000, "green": 0x008000, "blue": 0x0000FF, "yellow": 0xFFFF00,
    "gray": 0x808080, "grey": 0x808080, "silver": 0xC0C0C0, "navy": 0x000080, "maroon": 0x800000,
    "lime": 0x00FF00, "aqua": 0x00FFFF,
    "fuchsia": 0xFF00FF, "olive": 0x808000, "purple": 0x800080, "teal": 0x008080,
    "orange": 0xFFA500, "snow": 0xFFFAFA,
    "ivory": 0xFFFFF0, "whitesmoke": 0xF5F5F5, "ghostwhite": 0xF8F8FF,
}  # fmt: skip

TAG_CHARS = 1500
"""Within this many characters a quoted `>` is told from the tag's own."""

Colour = tuple[int, int, int]
Styles = dict[str, str]


class _Look(Struct, frozen=True):
    """How letters look at one place. `unseen` holds for all that is inside."""

    tag: str
    unseen: bool
    ink: Colour
    ground: Colour
    tiny: bool = False
    shows: bool = True


_PAGE = _Look("", False, (0, 0, 0), (255, 255, 255))


def seen(page: str) -> str:
    """Lines of words; cells of a row are parted by a tab. What parts letters unseen is taken out."""
    page = page[:LOOKED_CHARS]
    out: list[str] = []
    stack = [_PAGE]
    rules: dict[str, Styles] = {}
    at, closing = 0, -1
    while at < len(page):
        begin = page.find("<", at)
        if begin < 0:
            _say(out, stack[-1], page[at:])
            break
        _say(out, stack[-1], page[at:begin])
        if page.startswith("<!--", begin):
            end = page.find("-->", begin + 4)
            at = len(page) if end < 0 else end + 3
            continue
        name = _NAME.match(page, begin + 1)
        if name is None and page[begin + 1 : begin + 2] not in ("!", "?"):
            out.extend("<" if stack[-1].shows else ())
            at = begin + 1
            continue
        if closing < begin:
            closing = page.find(">", begin)
        if closing < 0:
            break
        tag_end = _tag_end(page, begin, closing)
        at = tag_end + 1
        if name is not None:
            at = _enter(page, (begin, at), name[1].lower(), stack, rules, out)
    return tidy("".join(out))


def tidy(text: str) -> str:
    """Blanks as one, without the characters that nobody sees (Unicode category Cf, soft hyphens too)."""
    text = "".join(char for char in text if char <= "\x7f" or unicodedata.category(char) != "Cf")
    lines = (
        _BLANKS.sub(lambda run: "\t" if "\t" in run[0] else " ", line).strip() for line in text.split("\n")
    )
    return _MANY_LINES.sub("\n\n", "\n".join(lines)).strip("\n")


def _tag_end(page: str, begin: int, closing: int) -> int:
    """The `>` that ends a tag: one inside of a quoted attribute does not."""
    inside = page[begin:closing]
    if '"' in inside or "'" in inside:
        whole = _QUOTED_TAG.match(page, begin, begin + TAG_CHARS)
        if whole:
            return whole.end() - 1
    return closing


def _enter(
    page: str, span: tuple[int, int], tag: str, stack: list[_Look], rules: dict[str, Styles], out: list[str]
) -> int:
    """What a tag does to the words behind it; gives where to read on."""
    begin, after = span
    if tag in _BREAKS:
        out.append("\n")
    elif tag in _CELLS:
        out.append("\t")
    if page[begin + 1] == "/":
        _leave(stack, tag)
        return after
    if tag in _VOID or (page[after - 2 : after - 1] == "/" and tag not in _BREAKS):
        return after
    if tag in ("style", "script"):
        end = _find_end(page, tag, after)
        if tag == "style":
            _read_rules(page[after:end], rules)
        return end
    if len(stack) < DEPTH_MAX:
        stack.append(_look(stack[-1], tag, _styles(page[begin:after], tag, rules)))
    return after


def _find_end(page: str, tag: str, after: int) -> int:
    found = _END[tag].search(page, after)
    return found.start() if found else len(page)


def _leave(stack: list[_Look], tag: str) -> None:
    """Ends the nearest open element of this name; one that was never begun ends nothing."""
    for depth in range(len(stack) - 1, 0, -1):
        if stack[depth].tag == tag:
            del stack[depth:]
            return


def _say(out: list[str], look: _Look, text: str) -> None:
    if text and look.shows:
        out.append(_BLANKS.sub(" ", html.unescape(text)))


def _styles(tag_text: str, tag: str, rules: dict[str, Styles]) -> Styles:
    """The properties that count here: of the element's name, class and id, its style, its old attributes."""
    given = {
        match[1].lower(): next(part for part in match.groups()[1:] if part is not None)
        for match in _ATTRIBUTE.finditer(tag_text[:4000])
    }
    styles: Styles = {}
    if rules:
        names = [tag, *("." + name for name in given.get("class", "").split()[:8]), "#" + given.get("id", "")]
        for name in names:
            styles |= rules.get(name, {}) | rules.get(tag + name, {})
    for old, new in (("color", "color"), ("bgcolor", "background-color"), ("text", "color")):
        if old in given:
            styles[new] = given[old]
    if tag == "font" and given.get("size", "").strip() in ("-7", "-6", "-5"):
        styles["font-size"] = "1px"
    styles |= _properties(html.unescape(given.get("style", "")))
    if re.search(r"\shidden[\s>=/]", tag_text[:4000]):
        styles["display"] = "none"
    return styles


def _properties(text: str) -> Styles:
    return {match[1]: match[2].strip() for match in _PROPERTY.finditer(text.lower())}


def _read_rules(sheet: str, rules: dict[str, Styles]) -> None:
    """`.name`, `#name`, `element` and `element.name`; what is chosen in other ways is not followed."""
    for block in sheet[:SHEET_CHARS].split("}")[:RULES_MAX]:
        chosen, brace, body = block.partition("{")
        if not brace:
            continue
        properties = _properties(body)
        for name in chosen.split(",")[:20]:
            if len(rules) < RULES_MAX:
                rules.setdefault(name.strip(), {}).update(properties)


def _look(around: _Look, tag: str, styles: Styles) -> _Look:
    hidden = (
        tag in _UNSEEN
        or styles.get("display", "").startswith("none")
        or styles.get("visibility", "").startswith(("hidden", "collapse"))
        or styles.get("opacity", "1").startswith(("0%", "0.0")) or styles.get("opacity") == "0"
        or styles.get("mso-hide", "").startswith("all")
    )  # fmt: skip
    ground = _colour(styles.get("background-color", styles.get("background", ""))) or around.ground
    ink = _colour(styles.get("color", "")) or around.ink
    unseen = around.unseen or hidden
    tiny = _tiny(styles.get("font-size", ""), around.tiny)
    return _Look(tag, unseen, ink, ground, tiny, not unseen and not tiny and _apart(ink, ground) >= NEAR)


def _tiny(size: str, around: bool) -> bool:
    match = _SIZE.match(size)
    if not match or not match[1].strip(".-"):
        return around
    try:
        number = float(match[1])
    except ValueError:
        return around
    unit = match[2] or "px"
    return number * {"px": 1.0, "pt": 1.33, "em": 16.0, "rem": 16.0, "%": 0.16}[unit] <= TINY_PX


def _colour(said: str) -> Colour | None:
    """`#rgb`, `#rrggbb`, `rgb()`, with or without the sharp sign, or a name; None for anything else."""
    said = said.strip().lower()
    rgb = _RGB.match(said)
    if rgb:
        return min(int(rgb[1]), 255), min(int(rgb[2]), 255), min(int(rgb[3]), 255)
    word = said.split()[0] if said.split() else ""
    if word in _COLOURS:
        value = _COLOURS[word]
    else:
        digits = word.removeprefix("#")
        if len(digits) == 3:
            digits = "".join(char * 2 for char in digits)
        if len(digits) != 6 or not re.fullmatch(r"[0-9a-f]{6}", digits):
            return None
        value = int(digits, 16)
    return value >> 16, value >> 8 & 255, value & 255


def _apart(one: Colour, other: Colour) -> int:
    return abs(one[0] - other[0]) + abs(one[1] - other[1]) + abs(one[2] - other[2])
