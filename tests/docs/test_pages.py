"""The pages: links that lead somewhere, and what is made from the code is up to date."""

import dataclasses
import importlib.machinery
import importlib.util
import pathlib
import re

import pytest

import tfvae

ROOT = pathlib.Path(__file__).parent.parent.parent
_NOT_OURS = re.compile(r"(^|/)(\.[^/]*|runs|shards|build)/")
PAGES = [path for path in sorted(ROOT.rglob("*.md")) if not _NOT_OURS.search(path.relative_to(ROOT).as_posix())]
_CODE = re.compile(r"^```.*?^```|`[^`\n]*`", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")


def tool(name):
    """A program of tools/ as a module."""
    loader = importlib.machinery.SourceFileLoader(f"tool_{name}", str(ROOT / "tools" / name))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(module)
    return module


def links(path):
    """The links of a page that are not to other sites."""
    found = _LINK.findall(_CODE.sub("", path.read_text(encoding="utf-8")))
    return [link for link in found if not re.match(r"[a-z]+:", link)]


def anchors(path):
    """The anchors that code hosts make of a page's headings."""
    text = re.sub(r"^```.*?^```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=[str(page.relative_to(ROOT)) for page in PAGES])
def test_links_lead_somewhere(page):
    for link in links(page):
        file, _, anchor = link.partition("#")
        target = (page.parent / file).resolve() if file else page
        assert target.exists(), f"{page.relative_to(ROOT)} links to {link}, which is not there"
        if anchor:
            assert anchor in anchors(target), f"{page.relative_to(ROOT)} links to {link}, a heading that is not there"


def test_every_page_can_be_reached_from_the_readme():
    seen, waiting = set(), [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page not in seen and page.suffix == ".md":
            seen.add(page)
            waiting += [(page.parent / link.partition("#")[0]).resolve() for link in links(page) if link[0] != "#"]
    lost = [str(page.relative_to(ROOT)) for page in PAGES if page not in seen]
    assert not lost, f"no page leads to {lost}"


def test_the_reference_is_up_to_date():
    reference = tool("reference")
    for name, text in reference.pages().items():
        assert (reference.PAGES / name).read_text(encoding="utf-8") == text, f"{name}: run tools/reference"


def test_the_picture_of_the_floors_is_up_to_date():
    floors = tool("floors")
    assert floors.PICTURE.read_text(encoding="utf-8") == floors.picture(floors.floors()), "run tools/floors"


def test_a_field_without_a_meaning_is_found():
    @dataclasses.dataclass
    class Config:
        """Settings.

        Args:
            known: what it is.
        """

        known: int = 1
        unknown: int = 2

    with pytest.raises(ValueError, match="unknown"):
        tool("reference").fields_table(Config)


def test_the_arguments_of_a_docstring_are_read():
    docstring = """Settings.

    Args:
        a, b: two numbers,
            on two lines.
        c: another one.

    Raises:
        ValueError: never.
    """
    assert tool("reference").arguments(docstring) == {
        "a": "two numbers, on two lines.", "b": "two numbers, on two lines.", "c": "another one.",
    }  # fmt: skip


def test_the_version_is_the_same_everywhere():
    version = tfvae.__version__
    assert f"\nversion: {version}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    newest = re.search(
        r"^## (\S+) \(\d{4}-\d\d-\d\d\)$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert newest and newest[1] == version
