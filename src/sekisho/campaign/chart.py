"""One picture of a campaign: price, volume and letters by day above one another, with the claimed days.

SVG, told apart by place, form and words, not by colour; `--json` has the same figures for programs. Every
text is escaped.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from xml.sax.saxutils import escape, quoteattr

from msgspec import Struct

from sekisho.campaign.bars import Bar

WIDTH, PANEL, GAP, LEFT, TOP = 960, 150, 34, 90, 52
"""In pixels; the picture scales."""


class Words(Struct, frozen=True):
    """What the picture says, in the reader's language."""

    title: str
    price: str
    volume: str
    letters: str
    claimed: str


def chart(words: Words, bars: Sequence[Bar], letters: Mapping[date, int], claimed: Sequence[date]) -> str:
    """`bars` sorted by day, at least one; days of letters and claims outside of them widen the picture."""
    days = [bar.day for bar in bars] + list(letters) + list(claimed)
    first, last = min(days), max(days)
    span = max(1, (last - first).days)

    def across(day: date) -> float:
        return LEFT + (WIDTH - LEFT - 20) * (day - first).days / span

    height = TOP + 3 * (PANEL + GAP) + 30
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" font-size="13"',
        f'aria-label={quoteattr(words.title)} font-family="sans-serif">',
        f"<title>{escape(words.title)}</title>",
        f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
        f'<text x="{LEFT}" y="22" font-size="16">{escape(words.title)}</text>',
    ]
    prices = [(across(bar.day), bar.close) for bar in bars]
    out += _panel(0, words.price, max(value for _, value in prices))
    out.append(_line(0, prices))
    volumes = [(across(bar.day), bar.volume) for bar in bars]
    out += _panel(1, words.volume, max(value for _, value in volumes))
    out += _sticks(1, volumes, 1.5)
    counts = [(across(day), float(letters[day])) for day in sorted(letters)]
    out += _panel(2, words.letters, max((value for _, value in counts), default=1.0))
    out += _sticks(2, counts, 4)
    for number, day in enumerate(sorted(set(claimed))):
        out += _mark(across(day), height, f"{words.claimed} {day.isoformat()}", number)
    for day, anchor in ((first, "start"), (last, "end")):
        text = f'<text x="{across(day):.1f}" y="{height - 8}" text-anchor="{anchor}">{day.isoformat()}</text>'
        out.append(text)
    return "\n".join([*out, "</svg>", ""])


def _bottom(panel: int) -> float:
    return TOP + panel * (PANEL + GAP) + PANEL


def _panel(panel: int, name: str, most: float) -> list[str]:
    """Its name, its base line and the value of its upper edge."""
    bottom = _bottom(panel)
    return [
        f'<line x1="{LEFT}" y1="{bottom}" x2="{WIDTH - 20}" y2="{bottom}" stroke="black"/>',
        f'<text x="{LEFT}" y="{bottom - PANEL - 4}">{escape(name)}</text>',
        f'<text x="{LEFT - 6}" y="{bottom - PANEL + 10}" text-anchor="end">{_short(most)}</text>',
        f'<text x="{LEFT - 6}" y="{bottom}" text-anchor="end">0</text>',
    ]


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.4g}"


def _heights(panel: int, values: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    most = max((value for _, value in values), default=0.0) or 1.0
    return [(at, _bottom(panel) - PANEL * 0.92 * value / most) for at, value in values]


def _line(panel: int, values: Sequence[tuple[float, float]]) -> str:
    points = " ".join(f"{at:.1f},{height:.1f}" for at, height in _heights(panel, values))
    return f'<polyline points="{points}" fill="none" stroke="black" stroke-width="1.5"/>'


def _sticks(panel: int, values: Sequence[tuple[float, float]], width: float) -> list[str]:
    bottom = _bottom(panel)
    pen = f'stroke="#333" stroke-width="{width}"'
    return [
        f'<line x1="{at:.1f}" y1="{bottom}" x2="{at:.1f}" y2="{height:.1f}" {pen}/>'
        for at, height in _heights(panel, values)
    ]


def _mark(at: float, height: int, text: str, number: int) -> list[str]:
    """A dashed line through all panels, its words in turns so that near days can be read."""
    below = _bottom(2) + 14 + (number % 3) * 13
    anchor = "end" if at > WIDTH - 200 else "start"
    pen = 'stroke="black" stroke-dasharray="5 4"'
    return [
        f'<line x1="{at:.1f}" y1="{TOP}" x2="{at:.1f}" y2="{height - 26}" {pen}/>',
        f'<text x="{at + 4:.1f}" y="{below}" text-anchor="{anchor}" font-size="11">{escape(text)}</text>',
    ]
