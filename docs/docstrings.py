"""Docstrings as reStructuredText: plain text, indented blocks, and lists such as `Raises:`."""

import re

SECTION = re.compile(r"(Args|Raises|Returns|Yields|Attributes):$")
ITEM = re.compile(r"(\S[^:]*): (.*)")
MARKS = re.compile(r"([\\*|]|_(?!\w))")


def to_rst(lines: list[str]) -> list[str]:
    """Lines of a docstring, without its own indentation."""
    out: list[str] = []
    section = False
    for block in _blocks(lines):
        indented = block[0].startswith(" ")
        if SECTION.match(block[0]):
            out += [f"**{block[0].rstrip(':')}**", "", *_items(block[1:])]
            section = len(block) == 1
        elif indented and section:
            out += _items(block)
        elif indented:
            out += [".. code-block:: text", "", *(f"    {line}" for line in block)]
        else:
            out += [_plain(line) for line in block]
        out.append("")
    return out


def _blocks(lines: list[str]) -> list[list[str]]:
    """Runs of lines that are alike: indented, a section with its items, or text."""
    blocks: list[list[str]] = []
    previous = ""
    for line in lines:
        if line.strip():
            indented = line.startswith(" ")
            same = bool(previous) and indented == previous.startswith(" ")
            if blocks and (same or (previous and indented and SECTION.match(blocks[-1][0]))):
                blocks[-1].append(line)
            else:
                blocks.append([line])
        previous = line.strip() and line
    return blocks


def _items(lines: list[str]) -> list[str]:
    """`name: text` and its further lines as a list."""
    out = []
    for line in lines:
        deep = len(line) - len(line.lstrip()) > 4
        if (item := ITEM.match(line.strip())) and not deep:
            out.append(f"- ``{item[1]}``: {_plain(item[2])}")
        else:
            out.append(f"  {_plain(line.strip())}")
    return out


def _plain(text: str) -> str:
    """Text in which only single back quotes mean something."""
    parts = text.split("`")
    parts[::2] = [MARKS.sub(r"\\\1", part) for part in parts[::2]]
    return "`".join(parts)
