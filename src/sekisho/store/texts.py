"""The translation catalogue: renders a Phrase in a language. English patterns are their own translation."""

import gettext
from functools import lru_cache
from pathlib import Path
from typing import Self

from sekisho.model.phrase import Phrase, Value

LANGUAGES = ("en", "ja")
FOLDER = Path(__file__).parent.parent / "locale"


class Texts:
    """One language. `say` never fails: what is not translated is said in English."""

    def __init__(self, language: str, catalogue: gettext.NullTranslations) -> None:
        self.language = language
        self._catalogue = catalogue

    @classmethod
    def of(cls, language: str) -> Self:
        return cls(language, _catalogue(language))

    def say(self, sentence: Phrase) -> str:
        if sentence.plural:
            pattern = self._catalogue.ngettext(sentence.pattern, sentence.plural, sentence.count)
        else:
            pattern = self._catalogue.gettext(sentence.pattern)
        return pattern.format(**{name: self._value(value) for name, value in sentence.values.items()})

    def _value(self, value: Value) -> str | int | float:
        if isinstance(value, Phrase):
            return self.say(value)
        if isinstance(value, tuple):
            separator = "、" if self.language == "ja" else ", "
            return separator.join(self.say(part) for part in value)
        return value


@lru_cache(maxsize=len(LANGUAGES))
def _catalogue(language: str) -> gettext.NullTranslations:
    return gettext.translation("sekisho", FOLDER, languages=[language], fallback=True)
