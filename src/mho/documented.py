"""The docstrings under the fields of a class."""

from __future__ import annotations

import ast
import inspect
import textwrap
from functools import cache
from itertools import pairwise


@cache
def field_docs(cls: type) -> dict[str, str]:
    """What a dataclass, and the dataclasses that it is derived from, say of each field."""
    docs: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        if "__dataclass_fields__" not in vars(base):
            continue
        body = ast.parse(textwrap.dedent(inspect.getsource(base))).body[0]
        assert isinstance(body, ast.ClassDef)
        for each, after in pairwise(body.body):
            if not (isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name)):
                continue
            if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
                docs[each.target.id] = " ".join(str(after.value.value).split())
    return docs


def first_sentence(text: str) -> str:
    """A text up to its first full stop, colon or semicolon that ends a clause."""
    text = " ".join(text.split())
    ends = [at for mark in (". ", "; ", ": ") if (at := text.find(mark)) >= 0]
    return text[: min(ends)] if ends else text.removesuffix(".")
