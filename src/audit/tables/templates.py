"""HTML and Markdown by Jinja: templates lie beside the code that fills them, as ``pages/index.html``."""

import re
from base64 import b64encode
from collections.abc import Callable
from hashlib import sha256
from html import escape
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from audit.tables.words import count, duration
from multistage.records.files import command

AUDIT = Path(__file__).parents[1]


def source(name: str) -> Markup:
    """A style sheet or a script, as it is."""
    return Markup((AUDIT / name).read_text(encoding="utf-8"))


def broken(name: str) -> Markup:
    """A name that may be broken after its underscores."""
    return Markup(escape(name).replace("_", "_<wbr>"))


def code(text: str) -> Markup:
    """A text whose backticks become HTML."""
    return Markup(re.sub("`(.*?)`", r"<code>\1</code>", escape(text)))


def base64(content: bytes) -> str:
    """Bytes as text."""
    return b64encode(content).decode("ascii")


def integrity(script: str) -> str:
    """What a policy names the one script by that may run."""
    return f"sha256-{base64(sha256(plain(script).encode()).digest())}"


ENVIRONMENT = Environment(
    loader=FileSystemLoader(AUDIT),
    autoescape=select_autoescape(),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)
ENVIRONMENT.globals |= {"source": source, "zip": zip}
ENVIRONMENT.filters |= {
    "broken": broken,
    "code": code,
    "command": command,
    "count": count,
    "duration": duration,
    "base64": base64,
    "integrity": integrity,
    "percent": "{:.2f}%".format,
    "one": "{:.1f}".format,
    "two": "{:.2f}".format,
}


def render(template: str, **values: Any) -> str:
    """Fill a template.

    Args:
        template: Its path below ``src/audit``.
        **values: What it names; in HTML, text is escaped, unless it is `Markup`.
    """
    return plain(ENVIRONMENT.get_template(template).render(values))


def macro(template: str, name: str) -> Callable[..., Markup]:
    """A macro of a template, as a function."""
    found = getattr(ENVIRONMENT.get_template(template).module, name)
    return lambda *args, **named: Markup(plain(found(*args, **named)))


def plain(text: str) -> str:
    """Quotes escaped as Python's ``html.escape`` does it, so that they are written in one way everywhere."""
    return text.replace("&#39;", "&#x27;").replace("&#34;", "&quot;")
