"""All that a letter claims about the share it pushes, and where it contradicts itself.

A claim is made only where there is a share: without a symbol that a cue vouches for, prices and dates are
anybody's.
"""

import re
from datetime import date

from sekisho.campaign.claim import Amount, Claims, Found, Percentage, Ticker
from sekisho.campaign.days import day_of
from sekisho.campaign.folding import folded
from sekisho.campaign.labels import labels_of
from sekisho.campaign.money import percentages_of, price_of, targets_of
from sekisho.campaign.names import company_of, isin_of, wkn_of
from sekisho.campaign.tickers import tickers_of

WORDS_CHARS = 60_000
"""Of longer words only the beginning is searched: what is pushed is said at once."""

CONTRADICTION = 1.3
"""Two figures for one gain that differ by more than this factor contradict each other."""

SUB_PENNY = 0.01

_SIGNALS = re.compile(
    r"strong buy|aggress?ive buy|buy now|must buy|hot (?:pick|stock|news)|breaking news"
    r"|get in (?:now|early|before)|add (?:it |this |them )?(?:on|to your)|don'?t miss|undervalued|skyrocket"
    r"|explo(?:de|sive|ding|tion)|steadily climb|short squeeze|insider buying|call (?:to )?(?:your )?broc?ker"
    r"|contact (?:your )?broc?ker|radar|mega bagger|poised for|to the moon|low float"
    r"|huge (?:growth|news|profit)|guaranteed? profit|watch it|kaufen|durchstarten|rallye",
    re.I,
)
_SUB_PENNY = re.compile(r"sub-?\s?penny", re.I)
_FROM_TO = re.compile(
    r"(?:US\$|USD|[$€])\s?(?P<first>[0-9]{1,3}(?:[',][0-9]{3})+|[0-9]{3,7})\b.{1,60}?(?:US\$|USD|[$€])\s?"
    r"(?P<second>[0-9]{1,3}(?:[',][0-9]{3})+|[0-9]{3,7})\b",
    re.S,
)


def claims_of(subject: str, written: str, received: date) -> Claims:
    """`written` are the words as they are seen; spans are places in subject, newline, words."""
    raw = f"{subject}\n{written}"[:WORDS_CHARS]
    words = folded(raw)
    labels = labels_of(words)
    price = price_of(words, labels, raw)
    targets = targets_of(words, labels, raw)
    tickers = tickers_of(
        words, labels, raw, vouched=bool(targets) or (price is not None and price.confidence >= 0.8)
    )
    isin, wkn = isin_of(words, raw), wkn_of(words, raw)
    signals = _signals(words, raw)
    if not tickers and not (isin and wkn):
        return Claims()
    changes = percentages_of(words, raw)
    return Claims(
        tickers=tickers,
        company=company_of(words, labels, raw, tickers[0].end if tickers else 0),
        isin=isin,
        wkn=wkn,
        price=price,
        targets=targets,
        changes=changes,
        day=day_of(words, labels, raw, received),
        signals=signals,
        flags=_flags(words, price, changes, tickers),
    )


def _signals(words: str, raw: str) -> tuple[Found, ...]:
    found = list(_SIGNALS.finditer(words))[:20]
    return tuple(Found(raw[one.start() : one.end()], one.start(), one.end(), 0.8) for one in found)


def _flags(
    words: str, price: Amount | None, changes: tuple[Percentage, ...], tickers: tuple[Ticker, ...]
) -> tuple[str, ...]:
    """`gain_contradicts`: a percentage beside an example that comes to another one. `not_sub_penny`: called a
    sub-penny share at a price above a cent. `many_shares`: more than one is pushed.
    """
    flags = []
    example = _FROM_TO.search(words)
    if example and changes:
        first, second = (float(re.sub("[',]", "", example[part])) for part in ("first", "second"))
        told = max(change.value for change in changes) / 100 + 1
        if second > first and max(told / (second / first), second / first / told) > CONTRADICTION:
            flags.append("gain_contradicts")
    if price and price.value >= SUB_PENNY and _SUB_PENNY.search(words):
        flags.append("not_sub_penny")
    if len(tickers) > 1:
        flags.append("many_shares")
    return tuple(flags)
