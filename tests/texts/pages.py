"""The texts that a visitor reads, and their parts."""

import re
from pathlib import Path
from textwrap import dedent

ROOT = Path(__file__).parents[2]
FILES = [*sorted(ROOT.glob("*.md")), *sorted(ROOT.glob("docs/*.md"))]
PAGES = {file.relative_to(ROOT).as_posix(): file.read_text(encoding="utf-8") for file in FILES}
"""By their paths."""

FENCED = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.DOTALL | re.MULTILINE)
MADE = re.compile(r"<!-- \{\{.*?<!-- end -->", re.DOTALL)


def blocks(text, language):
    """Fenced blocks of a language."""
    return [dedent(content) for _, name, content in FENCED.findall(text) if name == language]


def commands(text):
    """What is typed, a line each, without comments."""
    lines = (re.split(r"\s+#", line)[0].strip() for block in blocks(text, "bash") for line in block.splitlines())
    return [line for line in lines if line]


def words(text):
    """Without blocks of code and comments; a span of code is one word."""
    text = re.sub(r"^(?:    .*|::: .*)$", "", FENCED.sub("\n\n", text), flags=re.MULTILINE)
    return re.sub(r"<!--.*?-->", "", re.sub(r"`[^`]+`", "code", text))


def paragraphs(text):
    """Paragraphs, items of lists and cells of tables, in plain words."""
    text = words(text)
    text = re.sub(r"\[(?:!\[[^\]]*\]\([^)]*\)|([^\]]*))\]\([^)]*\)", r"\1", text)
    parts = re.split(r"\n\s*\n|\n(?=\s*(?:[-*]|\d+\.) |\|)", text)
    cells = [cell for part in parts for cell in (part.split("|") if part.lstrip().startswith("|") else [part])]
    return [" ".join(cell.split()) for cell in cells if re.search(r"\w", cell)]


def sentences(paragraph):
    """A sentence ends at a full stop, a question mark or an exclamation mark that a capital letter or code follows."""
    return re.split(r"(?<=[.!?])[)\"*]* (?=[\"(*]*(?:[A-Z0-9]|code\b))", paragraph)


def anchors(text):
    """What a link can lead to within a text."""
    heads = re.findall(r"^#+ (.*)$", FENCED.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).strip().replace(" ", "-") for head in heads} | {
        *re.findall(r'<a id="([^"]+)">', text)
    }
