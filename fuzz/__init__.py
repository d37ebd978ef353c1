"""Random wrong input for everything that takes input: `make fuzz`, or `python -m fuzz`.

Each module beside this one has

    def trials(random: Random, folder: Path) -> Iterator[tuple[str, Callable[[], object]]]

an endless series of what is done, in words, and an action that does it. An action that returns, or
that refuses with an error meant for users, is right; one that ends in another error, or in none
within the time limit, is a fault, and is printed with its number. The same seed gives the same
series. `REFUSALS` of a module names further errors that are right there.
"""
