"""Pages as HTML: the templates, the icons, and how whoever looks at them wants to read."""

import contextlib
import re
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit
from uuid import uuid4

from jinja2 import Environment, FileSystemBytecodeCache, FileSystemLoader, StrictUndefined, select_autoescape
from jinja2.bccache import Bucket
from litestar import MediaType, Request, Response
from litestar.datastructures import Cookie, State
from markupsafe import Markup, escape
from msgspec import Struct

from backend.core.phone import as_dialled
from backend.core.principal import Principal, Role
from backend.pages.proofs import VISITOR, forgery_proof, visitor_of
from backend.pages.times import minutes, money, spoken_digits
from backend.residents.names import name_in

Asked = Request[Any, Any, State]
LANGUAGE: Final = "yinling_language"
SIZE: Final = "yinling_size"
LANGUAGES: Final = ("zh", "en")
SIZES: Final = ("1", "2", "3", "4", "5")
_LARGE: Final = frozenset({"4", "5"})  # these text sizes need the same page stacked
_YEAR_S: Final = 365 * 24 * 3600
_WHOLE: Final = "<!doctype html>"
_TEMPLATES_FOLDER: Final = Path(__file__).parent / "templates"


def _as_written(text: str, language: str) -> Markup:
    """What stands in 汉字 also on an English page, such as an address, says so to whoever has it read aloud."""
    return Markup('<span lang="zh-CN">{}</span>').format(text) if language == "en" else escape(text)


class CompiledTemplates(FileSystemBytecodeCache):
    """Templates as Python keeps its modules: compiled once a checkout, beside their text, and anew where the text has changed.

    To compile a page takes a process longer than to answer a hundred times, and nobody else is answered meanwhile.
    """

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep it, unless the checkout is somebody else's: then each process compiles for itself, as Python does."""
        with contextlib.suppress(OSError):
            Path(self.directory).mkdir(exist_ok=True)
            super().dump_bytecode(bucket)


TEMPLATES: Final = Environment(
    loader=FileSystemLoader(_TEMPLATES_FOLDER), autoescape=select_autoescape(), undefined=StrictUndefined,
    trim_blocks=True, lstrip_blocks=True, bytecode_cache=CompiledTemplates(str(_TEMPLATES_FOLDER / "__pycache__")),
)  # fmt: skip
_filters: dict[str, Any] = TEMPLATES.filters
_globals: dict[str, Any] = TEMPLATES.globals
_filters.update(in_language=name_in, as_written=_as_written, as_dialled=as_dialled)
_globals.update(money=money, minutes=minutes, spoken_digits=spoken_digits)
_SYMBOL: Final = re.compile(r'<symbol id="(?:i-)?([a-z-]+)".*?</symbol>', re.DOTALL)
_SYMBOLS: Final = {
    found[1]: found[0] for found in _SYMBOL.finditer((_TEMPLATES_FOLDER / "icons.svg").read_text(encoding="utf-8"))
}


DOORS: Final = {
    Role.FAMILY: "/family", Role.PROVIDER: "/provider", Role.WORKER: "/worker", Role.OPERATOR: "/desk", Role.SUPERVISOR: "/board",
}  # fmt: skip
"""Where somebody is at home who is no resident; a supervisor has the board until there is a door of their own."""


class Reader(Struct, frozen=True):
    """How somebody wants to read: language, and text size 1 to 5 where they have chosen one."""

    language: str = "zh"
    size: str | None = None

    @classmethod
    def of(cls, request: Asked) -> "Reader":
        """What the cookies of a request say; anything else is left at its default."""
        language, size = request.cookies.get(LANGUAGE), request.cookies.get(SIZE)
        return cls(language if language in LANGUAGES else LANGUAGES[0], size if size in SIZES else None)

    @property
    def large(self) -> bool:
        """Whether the page is stacked so that text of this size has room."""
        return self.size in _LARGE

    def say(self, zh: str, en: str) -> str:
        """The words in the reader's language; both stand together where they are used."""
        return en if self.language == "en" else zh

    def cookies(self) -> list[Cookie]:
        """What a browser keeps of it."""
        kept = [_kept(LANGUAGE, self.language)]
        return kept if self.size is None else [*kept, _kept(SIZE, self.size)]


def _kept(name: str, value: str) -> Cookie:
    return Cookie(name, value=value, max_age=_YEAR_S, httponly=True, samesite="lax")


class Blank:
    """A form that is one button on every page, with a key of its own."""

    def __init__(self) -> None:
        self.key = uuid4().hex

    def value(self, _name: str) -> str:
        """Nothing is typed into it."""
        return ""


class Icons:
    """The symbols that one page uses, each drawn once at its end."""

    def __init__(self) -> None:
        self._used: dict[str, None] = {"mark": None}

    def __call__(self, name: str) -> Markup:
        """Draw an icon; a word stands beside it. Raises KeyError for one nobody has drawn."""
        self._used[name] = None
        return Markup(f'<svg class="i" aria-hidden="true"><use href="#i-{name}"/></svg>')  # noqa: S704 - a name of our own file

    def sprite(self) -> Markup:
        """All symbols used until here."""
        drawn = "".join(_SYMBOLS[name] for name in self._used)
        return Markup(f'<svg class="sprite" aria-hidden="true" focusable="false">{drawn}</svg>')  # noqa: S704 - our own file


def page(
    request: Asked, template: str, *, status: int = 200, cookies: list[Cookie] | None = None, **facts: Any
) -> Response[str]:
    """A page for whoever asks, never kept by a cache; `facts` are what the template shows."""
    settings = request.app.state.settings
    reader, visitor, icon = Reader.of(request), visitor_of(request), Icons()
    html = TEMPLATES.get_template(template).render(
        reader=reader, say=reader.say, icon=icon, city=settings.city, hotline=settings.hotline,
        demo=settings.demo, alarms=_may_alarm(request), home=_home(request), alarm_form=Blank(), here=request.url.path, forgery=forgery_proof(request, visitor), **facts,
    )  # fmt: skip
    if not html.startswith(_WHOLE):
        html += str(icon.sprite())  # a part that is fetched alone may show what its page has not drawn
    kept = list(cookies or ())
    if request.cookies.get(VISITOR) != visitor:
        kept.append(Cookie(VISITOR, value=visitor, httponly=True, samesite="lax", secure=not settings.demo))
    return Response(
        html, status_code=status, media_type=MediaType.HTML, headers={"Cache-Control": "no-store"}, cookies=kept
    )


def _may_alarm(request: Asked) -> bool:
    """Whether the alarm on this page is kept and told to the desk; for everybody else it rings the hotline."""
    user = request.scope.get("user")
    return isinstance(user, Principal) and user.role in {Role.RESIDENT, Role.FAMILY, Role.WORKER}


def _home(request: Asked) -> str:
    """The first page of whoever asks."""
    user = request.scope.get("user")
    return DOORS.get(user.role, "/") if isinstance(user, Principal) and user.own_id is None else "/"


def inside(path: str, otherwise: str) -> str:
    """A path of this site that a form or an address names; `otherwise` for anything that leads elsewhere."""
    parts = urlsplit(path)
    ours = not parts.scheme and not parts.netloc and path.startswith("/") and not path.startswith(("//", "/\\"))
    return path if ours and path.isprintable() else otherwise
