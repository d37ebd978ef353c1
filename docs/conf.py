"""How the documentation site is built: `make docs`, into build/docs."""

import contextlib
import importlib
import io
import os
import re
import sys
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

import mho
from mho.cli import main
from mho.cli.commands import SECTIONS
from mho.experiments import EXPERIMENTS

sys.path.insert(0, str(Path(__file__).resolve().parent))
from docstrings import to_rst

HERE = Path(__file__).resolve().parent
GENERATED = HERE / "reference" / "generated"
"""Pages that are made of the code at each build; git does not keep them."""
MODULES = (
    "mho.public", "mho.cells", "mho.devices", "mho.hardware", "mho.nn", "mho.rules", "mho.tasks",
    "mho.circuits", "mho.prices", "mho.instruments", "mho.dynamics", "mho.data", "mho.kernels",
    "mho.fit", "mho.interchange", "mho.card", "mho.trial", "mho.sweep", "mho.errors",
)  # fmt: skip
"""Modules whose names programs import."""

BROUGHT = {
    "CHANGELOG.md": "changelog",
    "CONTRIBUTING.md": "contributing",
    "examples/README.md": "examples",
    "src/mho/instruments/protocol.md": "protocol",
}
"""Documents from elsewhere in the repository, and their pages under reference/generated."""

project = "mho"
author = "The mho developers"
release = mho.__version__
extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
]
html_theme = "furo"
html_title = f"mho {release}"
myst_heading_anchors = 3
default_role = "literal"  # docstrings write names in single back quotes
autodoc_default_options = {"members": True}
autodoc_member_order = "bysource"
autodoc_typehints = "none"  # the signature has them
autodoc_preserve_defaults = True
copybutton_prompt_text = r">>> |\.\.\. "
copybutton_prompt_is_regexp = True
exclude_patterns = ["gallery/*.html"]


def told(*arguments: str) -> str:
    """What a command prints."""
    os.environ |= {"COLUMNS": "84", "NO_COLOR": "1", "TERM": "dumb"}
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.suppress(SystemExit):
        main(arguments)
    return out.getvalue()


def write_pages(_: Sphinx) -> None:
    """The pages under reference/generated."""
    (GENERATED / "api").mkdir(parents=True, exist_ok=True)
    for module in MODULES:
        title = "mho" if module == "mho.public" else module
        text = (
            f"# {title}\n\n```{{eval-rst}}\n.. automodule:: {module}\n   :imported-members:\n```\n"
        )
        (GENERATED / "api" / f"{title}.md").write_text(text, encoding="utf-8")
    for source, name in BROUGHT.items():
        path, page = HERE.parent / source, GENERATED / f"{name}.md"
        page.write_text(relinked(path.read_text(encoding="utf-8"), path, page), encoding="utf-8")
    _listing(
        "commands",
        "Commands",
        {f"mho {name}": (name, "--help") for each in SECTIONS.values() for name in each},
    )
    settings = {name: ("list", name) for name in EXPERIMENTS}
    _listing("settings", "Settings", {f"mho run {n}": words for n, words in settings.items()})
    kinds = ("experiments", "devices", "dynamics", "datasets", "prices", "mitigations", "schemes",
             "rules")  # fmt: skip
    _listing("lists", "Lists", {f"mho list {kind}": ("list", kind) for kind in kinds})


def relinked(text: str, source: Path, page: Path) -> str:
    """A document with its links leading from its page to other pages, or gone.

    Args:
        source: the file it stands in; its links are relative to that.
        page: the file that Sphinx reads.
    """

    def changed(link: re.Match[str]) -> str:
        words, path, anchor = link[1], link[2], link[3] or ""
        if re.match(r"\w+:|#", path):
            return link[0]
        target = (source.parent / path).resolve()
        if (name := str(target.relative_to(HERE.parent))) in BROUGHT:
            target = GENERATED / f"{BROUGHT[name]}.md"
        elif not target.is_relative_to(HERE):
            return f"{words} (`{name}`)"
        return f"[{words}]({os.path.relpath(target, page.parent)}{anchor})"

    return re.sub(r"(?<!!)\[([^\]]+)\]\(([^)#\s]+)(#[^)]*)?\)", changed, text)


def relink(app: Sphinx, name: str, content: list[str]) -> None:
    """Links that lead out of docs/."""
    path = HERE / f"{name}.md"
    if not path.is_relative_to(GENERATED):
        content[0] = relinked(content[0], path, path)


def _listing(name: str, title: str, parts: dict[str, tuple[str, ...]]) -> None:
    """A page of what commands print."""
    lines = [f"# {title}", ""]
    for heading, words in parts.items():
        shown = f"mho {' '.join(words)}"
        lines += [f"## {heading}", "", f"`{shown}` prints:", "", "```text", told(*words).rstrip()]
        lines += ["```", ""]
    (GENERATED / f"{name}.md").write_text("\n".join(lines), encoding="utf-8")


def owners() -> dict[int, str]:
    """The module whose page shows an object: the last of those that have it."""
    modules = {name: importlib.import_module(name) for name in MODULES}
    return {
        id(thing): name
        for name, module in modules.items()
        for key in getattr(module, "__all__", vars(module))
        if getattr(thing := getattr(module, key), "__module__", "").startswith("mho")
    }


def skip(app: Sphinx, what: str, name: str, thing: Any, skipped: bool, options: Any) -> bool | None:
    """Whether a name is left out: what is another's, and what stands on another page."""
    if what != "module":
        return None
    page = app.env.docname.rpartition("/")[2]
    return None if OWNERS.get(id(thing)) == ("mho.public" if page == "mho" else page) else True


def plain(app: Sphinx, what: str, name: str, thing: Any, options: Any, lines: list[str]) -> None:
    """Docstrings are plain text."""
    lines[:] = to_rst(lines)


OWNERS = owners()


def setup(app: Sphinx) -> None:
    """Called by Sphinx."""
    app.connect("builder-inited", write_pages)
    app.connect("source-read", relink)
    app.connect("autodoc-skip-member", skip)
    app.connect("autodoc-process-docstring", plain)
