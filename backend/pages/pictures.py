"""Pictures that a page draws itself: a QR code as one path, black on white whatever the theme, for paper and for phones."""

from typing import Final

import segno
from markupsafe import Markup

_QUIET: Final = 4  # modules of white around it, without which phones do not find it


def qr(text: str) -> Markup:
    """A QR code as SVG; a page says beside it what it holds. Raises ValueError for more than one can hold."""
    code = segno.make_qr(text, error="m")
    side = code.symbol_size(border=_QUIET)[0]
    dark = "".join(
        f"M{x + _QUIET} {y + _QUIET}h1v1h-1z" for y, row in enumerate(code.matrix) for x, cell in enumerate(row) if cell
    )
    return Markup(  # noqa: S704 - numbers of ours only
        f'<svg class="qr" viewBox="0 0 {side} {side}" aria-hidden="true" shape-rendering="crispEdges">'
        f'<path fill="#fff" d="M0 0h{side}v{side}H0z"/><path fill="#000" d="{dark}"/></svg>'
    )
