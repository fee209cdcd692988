"""How figures look, and how they are saved: the same bytes from the same frame, without pyplot, a display or anybody's settings."""

import contextlib
import functools
import io
import logging
import re
import threading
import unicodedata
import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # takes longer to import than many a run takes
    import pandas as pd
    from matplotlib.figure import Figure

    from sim.scenario.model import Scenario

WIDTH = 4.6
"""Inches: narrow, so that letters keep their size on a phone and two figures stand side by side on a desk."""

BLUE, ORANGE, SKY, GREY, INK = "#0072B2", "#D55E00", "#56B4E9", "#777777", "#222222"
"""Of the palette of Okabe and Ito 2008, told apart without colour by lightness, dashes or hatches."""

PLAIN_FONT = "DejaVu Sans"
"""Comes with matplotlib."""

FONTS = (
    "Noto Sans CJK SC",
    "Noto Sans CJK JP",
    "Noto Sans CJK TC",
    "Noto Sans CJK KR",
    "Source Han Sans SC",
    "Source Han Sans CN",
    "WenQuanYi Zen Hei",
    "WenQuanYi Micro Hei",
    "Noto Serif CJK SC",
    "AR PL UMing CN",
    "Droid Sans Fallback",
    "Microsoft YaHei",
    "PingFang SC",
    "Noto Sans",
)
"""Fonts that are looked for when a label holds letters that PLAIN_FONT lacks, the best first."""

SMALL = 9
"""Points, of what stands beside a mark."""

STYLE = {
    "figure.dpi": 72,
    "font.size": 9.5,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 9,
    "axes.labelsize": 9.5,
    "axes.edgecolor": GREY,
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.unicode_minus": True,
    "axes.axisbelow": True,
    "axes.xmargin": 0.0,
    "hatch.linewidth": 0.7,
    "legend.frameon": False,
    "legend.fontsize": SMALL,
    "svg.fonttype": "none",
    "text.parse_math": False,  # a dollar in a label is a dollar
    "svg.hashsalt": "clvsim",
    "grid.color": "#dddddd",
    "grid.linewidth": 0.6,
}

PNG_DPI = 180

_LOCK = threading.RLock()  # matplotlib's settings are the whole process's


@dataclass(frozen=True, eq=False, repr=False)
class Drawn:
    """A figure and what it shows.

    name: as in ``FIGURES``; figure: a matplotlib Figure; frame: exactly the numbers that are drawn, tidy; title: stands in the figure;
    caption: what it says, in a sentence or two.
    """

    name: str
    figure: "Figure"
    frame: "pd.DataFrame"
    title: str
    caption: str

    def svg(self) -> str:
        """Return the figure as SVG, its text as text, to be shown in any script by whatever shows it."""
        return _svg(self.figure)

    def png(self) -> bytes:
        """Return the figure as PNG."""
        buffer = io.BytesIO()
        with _settings():
            self.figure.savefig(buffer, format="png", dpi=PNG_DPI)
        return buffer.getvalue()

    def _repr_svg_(self) -> str:
        return self.svg()

    def __repr__(self) -> str:
        return f"<figure {self.name}: {self.caption}>"


@contextlib.contextmanager
def _settings(fonts: Iterable[str] = (PLAIN_FONT,)) -> Iterator[None]:
    """Give matplotlib its own defaults and STYLE, whatever a user's files say, and put everything back."""
    matplotlib = _matplotlib()
    with _LOCK, _quiet(), matplotlib.rc_context(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"Glyph .* missing from font")  # ``missing_letters`` says it once
        defaults = {key: value for key, value in matplotlib.rcParamsDefault.items() if not key.startswith(_NOT_STYLE)}
        matplotlib.rcParams.update(defaults | STYLE | {"font.family": list(fonts)})
        yield


_NOT_STYLE = (
    "backend",
    "date.epoch",
    "docstring",
    "figure.max",
    "figure.raise",
    "interactive",
    "savefig.dir",
    "timezone",
    "tk",
    "toolbar",
    "webagg",
)
"""Settings of the process rather than of a figure."""


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Hold back what matplotlib logs: that it cannot keep its list of fonts, or that a font comes in one weight. It works all the same."""
    logger = logging.getLogger("matplotlib")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)


@functools.cache
def _matplotlib() -> Any:
    with _quiet():
        import matplotlib
        import matplotlib.font_manager
    return matplotlib


@contextlib.contextmanager
def drawing(scenario: "Scenario", more: Iterable[str] = ()) -> Iterator[None]:
    """Prepare matplotlib for a figure of this scenario, with a font for its labels; more: what else it shows."""
    with _settings(fonts_for((*texts_of(scenario), *more))):
        yield


def texts_of(scenario: "Scenario") -> tuple[str, ...]:
    """Return what a scenario may put into a figure."""
    groups: tuple[Mapping[str, Any], ...] = (
        scenario.stages,
        scenario.segments,
        scenario.cohorts,
        scenario.policies,
        *(stage.to for stage in scenario.stages.values()),
    )
    return (scenario.label, scenario.currency, *(entry.label for group in groups for entry in group.values()))


def fonts_for(texts: Iterable[str]) -> tuple[str, ...]:
    """Return the fonts that have the letters of these texts: the plain one, and the first installed one that helps."""
    letters = {letter for text in texts for letter in text if letter.isprintable()}
    if all(letter < "\u0250" for letter in letters) or not (lacking := letters - _letters(PLAIN_FONT)):
        return (PLAIN_FONT,)
    best: tuple[str, ...] = (PLAIN_FONT,)
    left = lacking
    for font in FONTS:
        if font in installed() and len(rest := lacking - _letters(font)) < len(left):
            best, left = (PLAIN_FONT, font), rest
    return best


def installed() -> frozenset[str]:
    """Return the names of the fonts of this machine."""
    return frozenset(font.name for font in _matplotlib().font_manager.fontManager.ttflist)


@functools.cache
def _letters(font: str) -> frozenset[str]:
    manager = _matplotlib().font_manager
    with _quiet():
        return frozenset(map(chr, manager.get_font(manager.findfont(font)).get_charmap()))


class FontWarning(UserWarning):
    """Letters of a label are in no font found: PNG files show boxes instead."""


def warn_of_missing_letters(scenario: "Scenario", more: Iterable[str] = ()) -> None:
    """Warn with FontWarning, once in a process, where no installed font has the letters of a scenario's labels, or of more."""
    texts = (*texts_of(scenario), *more)
    fonts = fonts_for(texts)
    if all(letter < "\u0250" for text in texts for letter in text):
        return
    have = frozenset().union(*map(_letters, fonts))
    lacking = sorted({letter for text in texts for letter in text if letter.isprintable()} - have)
    if lacking:
        _warn("fonts-noto-cjk" if any(_wide(letter) for letter in lacking) else "fonts-noto-core", "".join(lacking[:3]))


@functools.cache
def _warn(package: str, letters: str) -> None:
    text = f"PNG figures: no installed font has letters such as {letters}; install the Debian package {package} (SVG and HTML show them)"
    warnings.warn(text, FontWarning, stacklevel=2)


def _wide(letter: str) -> bool:
    return unicodedata.east_asian_width(letter) in "WF"


def width_of(text: str) -> int:
    """Return how many Latin letters wide a text is."""
    return sum(2 if _wide(letter) else 1 for letter in text)


def shortened(text: str, most: int) -> str:
    """Cut a text that is wider than ``most`` Latin letters, with an ellipsis."""
    if width_of(text) <= most:
        return text
    while width_of(text) > most - 1:
        text = text[:-1]
    return text.rstrip() + "…"


def laid_out(figure: "Figure") -> "Figure":
    """Lay a figure out once, so that saving it twice does not do it again."""
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    return figure


def spread(places: list[float], gap: float, low: float, high: float) -> list[float]:
    """Move ascending places apart to ``gap`` at least, within low and high where they fit."""
    moved = list(places)
    for k in range(len(moved)):
        moved[k] = max(moved[k], low if k == 0 else moved[k - 1] + gap)
    for k in reversed(range(len(moved))):
        moved[k] = min(moved[k], high if k == len(moved) - 1 else moved[k + 1] - gap)
    return moved


_FAMILY = re.compile(r"font-family: [^;\"]*")

_TAG = re.compile(r"<[^>]*>")
"""Outside of tags stand labels, which are the user's own, whatever they say."""


def _svg(figure: "Figure") -> str:
    buffer = io.StringIO()
    with _settings():
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    text = re.sub(r"\s*<metadata>.*?</metadata>", "", buffer.getvalue(), flags=re.DOTALL)
    # what is installed here must not decide what is asked for there; Verdana is as wide
    text = _TAG.sub(lambda tag: _FAMILY.sub("font-family: 'DejaVu Sans', Verdana, sans-serif", tag.group()), text)
    return re.sub(r"[ \t]+$", "", text, flags=re.MULTILINE)


def inline(svg: str, name: str, label: str) -> str:
    """Return an SVG as it may stand inside an HTML page beside others.

    name: put before its ids, which must be the page's own; label: what is read out in its place, HTML-escaped by the caller.
    """
    body = svg[svg.index("<svg") :]
    head, _, rest = body.partition(">")
    view = re.search(r'viewBox="[^"]*"', head)
    assert view is not None

    def renamed(tag: re.Match[str]) -> str:
        text = re.sub(r'\bid="', f'id="{name}-', tag.group())
        return text.replace("url(#", f"url(#{name}-").replace('xlink:href="#', f'href="#{name}-')

    rest = _TAG.sub(renamed, rest)
    return f'<svg role="img" aria-label="{label}" {view.group()}>{rest}'.strip()
