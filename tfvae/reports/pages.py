"""What all pages have in common: one style, pictures inside them, everything that came from outside escaped."""

import base64
from pathlib import Path

import jinja2
import markupsafe


def environment(folder):
    """Jinja's, for the templates of a folder; they may include `page.css`."""
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader([folder, Path(__file__).parent]),
        autoescape=jinja2.select_autoescape(["html.j2"]),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"data_uri": _data_uri, "jpeg_uri": _jpeg_uri, "number": _number, "percent": _percent}
    return made


def _data_uri(image, kind="png"):
    # Base64 has no character that HTML would have to escape.
    return markupsafe.Markup(f"data:image/{kind};base64,{base64.b64encode(image).decode()}")


def _jpeg_uri(image):
    return _data_uri(image, "jpeg")


def _percent(share, rows):
    """A share of so many rows in percent, without digits that these cannot tell."""
    return f"{100.0 * share:.{2 if rows >= 1000 else 1}f}"


def _number(value):
    """A number for a table: as many digits as anybody reads."""
    if isinstance(value, bool) or not isinstance(value, float):
        return "not finite" if value is None else str(value)
    return (f"{value:,.0f}" if 1e4 <= abs(value) < 1e9 else f"{value:.4g}").replace("-", "\N{MINUS SIGN}")
