"""What a documentation page shows, read by the simplest means: its code, its source's prose, its sidebars."""

import re
from collections.abc import Iterator

from lxml import etree


def shown_blocks(page: bytes) -> list[tuple[str, str]]:
    """(language stated by Sphinx, code) of the blocks in the page's body, read here by the simplest means."""
    tree = etree.fromstring(page, etree.HTMLParser(encoding="utf-8", huge_tree=True))
    blocks = []
    for pre in tree.iter("pre"):
        if any("sphinxsidebar" in (ancestor.get("class") or "") for ancestor in pre.iterancestors()):
            continue
        if "linenodiv" in (pre.getparent().get("class") or ""):
            continue
        for number in pre.xpath(".//span[@class='linenos']"):
            number.text = ""
        wrapper = next(
            (
                ancestor
                for ancestor in pre.iterancestors("div")
                if "highlight-" in (ancestor.get("class") or "")
            ),
            None,
        )
        match = re.search(r"highlight-([\w+#-]+)", wrapper.get("class")) if wrapper is not None else None
        language = match[1] if match and match[1] not in ("default", "none", "text") else ""
        blocks.append((language, "".join(pre.itertext()).strip("\n").replace("\u00a0", " ")))
    return blocks


def rst_prose(source: str) -> Iterator[str]:
    """Plain paragraphs of reStructuredText: no directives, literals, tables, targets or substitutions."""
    lines = source.expandtabs().split("\n")
    paragraph: list[str] = []
    skipping: int | None = None
    for line in [*lines, ""]:
        indent = len(line) - len(line.lstrip())
        if skipping is not None and line.strip() and indent <= skipping:
            skipping = None
        if line.strip() and skipping is None and not line.lstrip().startswith(".. ") and line.strip() != "::":
            paragraph.append(line)
            continue
        if line.lstrip().startswith("..") and skipping is None:
            skipping = indent
        text = " ".join(" ".join(paragraph).split())
        if paragraph and skipping is None and text.endswith("::"):
            skipping = len(paragraph[0]) - len(paragraph[0].lstrip())
        if len(text) > 60 and not re.search(
            r"[|+=]{2}|={4}|-{4}|:\w+:`|`_|\|\w|>>>|^:\w+|\*\*|^\s*[*#-] ", text
        ):
            yield (
                text.removesuffix("::").replace("``", "").replace("*", "").replace("`", "").replace("\\", "")
            )
        paragraph = []


def words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


def five_grams(tokens: list[str]) -> Iterator[tuple[str, ...]]:
    return (tuple(tokens[place : place + 5]) for place in range(len(tokens) - 4))


def sidebar_lines(page: bytes) -> set[str]:
    """Texts that stand in navigation, sidebars and footers of the page and nowhere else in it."""
    tree = etree.fromstring(page, etree.HTMLParser(encoding="utf-8", huge_tree=True))
    xpath = (
        "//nav|//footer|//*[contains(@class,'sphinxsidebar')]"
        "|//*[contains(@class,'related') and @role='navigation']"
        "|//*[contains(@class,'sidebar')]|//*[@class='footer']"
    )
    outside = tree.xpath(xpath)
    found = {
        " ".join("".join(item.itertext()).split())
        for part in outside
        for item in part.iter("li", "p", "a", "h3", "h4", "div")
    }
    for part in outside:
        if part.getparent() is not None:
            part.getparent().remove(part)
    body = {
        " ".join("".join(item.itertext()).replace("¶", "").split())
        for item in tree.iter("li", "p", "a", "h1", "h2", "h3", "h4", "dt", "span")
    }
    return {text for text in found - body if len(text) > 2}
