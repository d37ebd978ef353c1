"""The templates of pages, and how numbers and names are written in them."""

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from mho.results.units import count, quantity


def template(name: str) -> Template:
    """A template of a page, by its file."""
    return _environment().get_template(name)


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("mho.report", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"count": count, "heading": _heading}
    environment.globals["quantity"] = quantity
    return environment


def _heading(field: str) -> str:
    """A counter's name in words: set_pulses -> SET pulses."""
    upper = {"set": "SET", "reset": "RESET", "adc": "ADC", "dac": "DAC"}
    return " ".join(upper.get(word, word) for word in field.split("_"))
