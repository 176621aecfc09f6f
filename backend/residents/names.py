"""By which words a person is found at the desk: the name, its pinyin in every reading, the initials."""

import itertools
from typing import Final

from backend.core.typed import together

_READINGS: Final = 16  # of one name at most; a name of four characters with two readings each has as many


def search_keys(name: str) -> list[str]:
    """Every word a name is looked up under, from its beginning: as written, without the surname, in pinyin and initials.

    Characters with several readings (单, 曾) are found under each; 吕 is typed `lv`, and stands as `lyu` in passports
    (GB/T 28039-2011).
    """
    from pypinyin import Style, pinyin

    written = typed(name)
    readings = pinyin(written, style=Style.NORMAL, heteronym=True)
    keys = {written, *({written[1:]} if "一" <= written[:1] <= "鿿" else ())}
    for syllables in itertools.islice(itertools.product(*readings), _READINGS):
        for spelled in (syllables, tuple("lyu" if s == "lv" else "nyu" if s == "nv" else s for s in syllables)):
            keys |= {"".join(spelled), "".join(spelled[1:]), "".join(syllable[0] for syllable in spelled)}
    return sorted(key for key in keys if key)


def typed(text: str) -> str:
    """What is typed into a search, in the form of the keys."""
    return together(text).replace("'", "").replace("’", "").casefold()
