"""Markdown of ours back to plain text, for comparing it with the text of extractors that write none."""

import re

_FENCE = re.compile(r"^`{3,}[^\n]*$", re.M)
_LINE_MARKS = re.compile(r"^[ ]{0,40}(?:> ?)*(?:#{1,6} +|[-*] +)?", re.M)
_TABLE_RULE = re.compile(r"^\|(?: --- \|)+$", re.M)
_TABLE_ROW = re.compile(r"^\| (.*) \|$", re.M)
_FORMULA = re.compile(r"(?<!\\)\$\$?([^$]{1,2000}?)(?<!\\)\$\$?")


def strip_markdown(text: str) -> str:
    """Text without heading, list, quote, table and code marks, with escapes undone; white space collapsed."""
    text = _FENCE.sub("", text)
    text = _TABLE_RULE.sub("", text)
    text = _TABLE_ROW.sub(lambda row: re.sub(r"(?<!\\)\|", " ", row[1]), text)
    text = _LINE_MARKS.sub("", text)
    text = _FORMULA.sub(
        lambda formula: formula[1] if "\\" in formula[1] else re.sub(r"[\^_{}]", "", formula[1]), text
    )
    text = text.replace("\\$", "$").replace("\\|", "|").replace("`", "")
    return " ".join(text.split())
