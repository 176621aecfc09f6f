"""By which words a person is found at the desk: the name, its pinyin in every reading, the initials."""

import itertools
from typing import Final

from backend.core.typed import together

_TWO_SIGNS: Final = frozenset({"欧阳", "司马", "上官", "诸葛", "东方", "尉迟", "公孙", "慕容", "司徒", "夏侯"})
_SURNAMES: Final = {"单": "shan", "曾": "zeng", "仇": "qiu", "区": "ou", "解": "xie", "查": "zha", "任": "ren", "华": "hua", "盖": "ge",
                    "朴": "piao", "尹": "yin", "冼": "xian", "翟": "zhai", "召": "shao", "缪": "miao", "员": "yun"}  # fmt: skip
"""As surnames these are read otherwise than as words."""
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


def latin(name: str) -> str:
    """Spell a person's name in pinyin, the surname first: Wang Haiyan; what is not written in 汉字 stays as it is."""
    from pypinyin import Style, lazy_pinyin

    if not name or not all("一" <= sign <= "鿿" for sign in name):
        return name
    surname = 2 if name[:2] in _TWO_SIGNS and len(name) > 2 else 1
    parts = [lazy_pinyin(part, style=Style.NORMAL) for part in (name[:surname], name[surname:])]
    if surname == 1:
        parts[0] = [_SURNAMES.get(name[0], parts[0][0])]
    return " ".join("".join(part).replace("lv", "lyu").replace("nv", "nyu").capitalize() for part in parts if part)


def name_in(name: str, language: str) -> str:
    """A person's name as somebody reads it: as it is written, or in pinyin on an English page."""
    return latin(name) if language == "en" else name


def typed(text: str) -> str:
    """What is typed into a search, in the form of the keys."""
    return together(text).replace("'", "").replace("’", "").casefold()
