"""Every page that is published needs nothing but itself, and its links lead somewhere."""

import hashlib
import re
from base64 import b64encode

import pytest
from committed import RESULTS


@pytest.fixture(params=["index.html", "explorer.html", "lecture/index.html"])
def text(request):
    return (RESULTS / request.param).read_text(encoding="utf-8")


def test_it_needs_nothing_else_and_stays_small(text):
    for tag, address in re.findall(r"""<(\w+)[^>]*?(?:src|href)=["']?([^"' >]+)""", text):
        assert address.startswith(("#", "data:")) or tag == "a", address
    for other in ("://", "url(", "@import"):
        assert other not in text
    assert len(text.encode()) < 5_000_000


def test_identifiers_are_there_once_and_lead_somewhere(text):
    identifiers = re.findall(r' id="([^"]+)"', text)
    assert len(identifiers) == len(set(identifiers))
    links = re.findall(r'href="#([^"=]+)"', text)
    links += re.findall(r' (?:for|aria-labelledby|aria-describedby|aria-controls)="([^"]+)"', text)
    assert {link for link in links if "${" not in link} <= set(identifiers)


def test_only_its_own_scripts_may_run(text):
    """What a foreign record smuggles into a page is no script, even if it became markup."""
    (policy,) = re.findall(r'<meta http-equiv="Content-Security-Policy" content="([^"]*)">', text)
    rules = {name: values for name, *values in (rule.split() for rule in policy.split(";"))}
    assert rules["default-src"] == ["'none'"]
    scripts = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    digests = [b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts]
    assert rules.get("script-src", []) == [f"'sha256-{digest}'" for digest in digests]
    assert len(re.findall("<script", text)) - len(scripts) == text.count('<script type="application/json"')
    assert not re.search(r"<[^>]*\son\w+=", re.sub(r"<script.*?</script>", "", text, flags=re.DOTALL))
