"""The page of the lab: settings at the left, what they come to at the right."""

from __future__ import annotations

import tempfile
from importlib import resources
from pathlib import Path
from typing import Any

from mho.hardware.price_lists import PRICES
from mho.lab import charts, fragments
from mho.lab.answer import LAYERS, Answer, answer
from mho.lab.command import commands, device_toml, file_name
from mho.lab.question import BINARY, Question, levels_offered, network_of
from mho.physics import devices
from mho.trial import TIMES
from mho.trial.device import Device, device

TILES = (32, 64, 128, 256, 512)
MOST_BITS = 16
MOST_OHMS = 10.0
OHM_STEP = 0.25
LARGEST_FILE = 20_000_000
"""Bytes of a file that is dropped."""


class Page:
    """One open page: its settings, its question, and the last answer to it."""

    def __init__(self, nicegui: Any, first: Device) -> None:
        self.ui, self.threads = nicegui.ui, nicegui.run
        self.given = first
        """The device."""
        self.levels = levels_offered(first.preset)
        self.wanted: Question | None = None
        """What is to be answered next."""
        self.answering = False
        self.shown: Answer | None = None
        ui = self.ui
        ui.add_css(resources.files("mho.lab").joinpath("page.css").read_text())
        with ui.element("main").classes("lab"):
            ui.html("<h1>mho lab</h1>", sanitize=False)
            ui.label("A device on a small network that was trained beforehand").classes("soft")
            self.refusal = ui.label().classes("refused")
            self.refusal.props("id=refusal role=alert").set_visibility(False)
            with ui.element("section").classes("panel answer"):
                self.numbers = ui.html(
                    "<p>The first answer takes some seconds ...</p>", sanitize=False
                )
            with ui.element("div").classes("halves"):
                with ui.element("section").classes("panel settings"):
                    self._settings()
                with ui.element("section").classes("found"):
                    self._found()
        ui.timer(0.05, self._begin, once=True)

    async def _begin(self) -> None:
        await self._take(self.given)

    # ------------------------------------------------------------------------------- settings

    def _settings(self) -> None:
        ui = self.ui
        names = [*devices.PRESETS]
        if self.given.name not in names:
            names.append(self.given.name)
        self.named = ui.select(
            names, value=self.given.name, label="Device", with_input=True,
            on_change=self._name_changed,
        ).classes("setting").props("outlined dense options-dense")  # fmt: skip
        ui.upload(
            label="or drop a file: .csv of a measurement, .toml of mho fit",
            auto_upload=True, max_file_size=LARGEST_FILE, on_upload=self._dropped,
            on_rejected=lambda: self._refuse("the file is larger than 20 MB"),
        ).classes("drop setting").props("flat id=drop")  # fmt: skip
        self.reading = ui.label().classes("soft")
        self.v_read = ui.number(
            "Read voltage of the file [V]", step=0.05, format="%.3g",
        ).classes("setting").props("outlined dense clearable")  # fmt: skip
        self.network = ui.select(
            [*BINARY], value=network_of(self.given.preset), label="Network, 784-100-10, digits",
            on_change=self._ask,
        ).classes("setting").props("outlined dense options-dense")  # fmt: skip
        self.tile = self._slider("Array, rows and columns", 0, len(TILES) - 1, 1, 2, "tile",
                                 lambda v: f"{TILES[int(v)]} x {TILES[int(v)]}")  # fmt: skip
        self.dac = self._slider("DAC", 2, MOST_BITS, 1, 8, "dac", lambda v: f"{v:.0f} bits")
        self.adc = self._slider("ADC", 2, MOST_BITS, 1, 8, "adc", lambda v: f"{v:.0f} bits")
        self.ohms = self._slider("Wires, each segment", 0, MOST_OHMS, OHM_STEP, 0, "wires",
                                 lambda v: f"{v:g} \N{OHM SIGN}")  # fmt: skip
        self.level = self._slider(
            "Levels of a weight", 0, len(self.levels) - 1, 1, len(self.levels) - 1, "levels",
            lambda v: f"{self.levels[min(int(v), len(self.levels) - 1)]}",
        )  # fmt: skip
        self.chips = self._slider("Chips", 2, 8, 1, 3, "chips", lambda v: f"{v:.0f}")
        self.prices = ui.select(
            [*PRICES], value="hfo2-130nm", label="Price list", on_change=self._ask,
        ).classes("setting").props("outlined dense options-dense id=prices")  # fmt: skip
        self.age = ui.toggle([*TIMES], value="fresh", on_change=self._ask)
        self.age.props("dense no-caps unelevated spread").classes("setting")

    def _slider(
        self, label: str, least: float, most: float, step: float, value: float, name: str, said: Any
    ) -> Any:
        """A slider under its name and its value in words."""
        ui = self.ui
        with ui.element("div").classes("setting"):
            with ui.element("div").classes("setting-head"):
                ui.label(label)
                shown = ui.html(f"<b>{said(value)}</b>", sanitize=False)
            slider = ui.slider(min=least, max=most, step=step, value=value)
            slider.props(f"id=slider-{name} aria-label='{label}' dense")

        slider.say = lambda: shown.set_content(f"<b>{said(slider.value)}</b>")

        async def changed() -> None:
            slider.say()
            await self._ask()

        slider.on_value_change(changed)
        return slider

    # ------------------------------------------------------------------------------- device

    async def _name_changed(self) -> None:
        if self.named.value in devices.PRESETS and self.named.value != self.given.name:
            await self._take(device(self.named.value))

    async def _dropped(self, event: Any) -> None:
        """A file that was dropped: the device of it, or why there is none."""
        event.sender.reset()
        volts = self.v_read.value
        self.reading.set_text(f"reading {event.file.name} ...")
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / Path(event.file.name).name
            await event.file.save(path)
            try:
                found = await self.threads.io_bound(device, str(path), volts, self.given)
            except (ValueError, OSError) as error:
                self._refuse(str(error).replace(f"{path.parent}/", ""))
                return
            finally:
                self.reading.set_text("")
        await self._take(found._replace(fitted=found.fitted.replace(f"{path.parent}/", "")))

    async def _take(self, given: Device) -> None:
        """Begin with another device: its card, its levels, its network."""
        try:
            levels, network = levels_offered(given.preset), network_of(given.preset)
        except ValueError as error:
            self._refuse(f"{given.name}: {error}")
            return
        self._refuse("")
        self.given, self.levels = given, levels
        if given.name not in self.named.options:
            self.named.set_options([*self.named.options, given.name])
        self.named.set_value(given.name)
        self.network.set_value(network)
        self.level.props(f"max={len(levels) - 1}")
        self.level.set_value(len(levels) - 1)
        self.level.say()
        await self._ask()
        drawn = await self.threads.io_bound(fragments.card_of, given)
        if self.given is given:
            self.card.set_content(drawn)
            self.fitted.set_text(given.fitted)

    # ------------------------------------------------------------------------------- question

    def _question(self) -> Question:
        return Question(
            name=self.given.name, device=self.given.preset, network=self.network.value,
            tile=TILES[int(self.tile.value)], dac_bits=int(self.dac.value),
            adc_bits=int(self.adc.value), wire_resistance=float(self.ohms.value),
            weight_levels=self.levels[min(int(self.level.value), len(self.levels) - 1)],
            chips=int(self.chips.value), prices=self.prices.value, age=self.age.value,
        )  # fmt: skip

    async def _ask(self) -> None:
        """Answer the question that the settings are; of several that wait, the last."""
        try:
            self.wanted = self._question()
        except ValueError as error:
            self._refuse(str(error))
            return
        self._refuse("")
        if self.answering:
            return
        self.answering = True
        self.numbers.classes(add="busy")
        try:
            while self.wanted is not None:
                asked, self.wanted = self.wanted, None
                try:
                    found = await self.threads.io_bound(answer, asked)
                except ValueError as error:
                    self._refuse(str(error))
                else:
                    self._show(found)
        finally:
            self.answering = False
            self.numbers.classes(remove="busy")

    def _refuse(self, why: str) -> None:
        """Say why something cannot be; "": all is well."""
        self.refusal.set_text(why)
        self.refusal.set_visibility(bool(why))

    # ------------------------------------------------------------------------------- answer

    def _found(self) -> None:
        ui = self.ui
        with ui.element("div").classes("found"):
            with ui.element("div").classes("pair"):
                with ui.element("div").classes("panel"):
                    ui.html("<h2>Accuracy of each chip</h2>", sanitize=False)
                    self.dots = ui.echart({}).style("height: 260px; width: 100%")
                with ui.element("div").classes("panel"):
                    ui.html("<h2>The network on a chip</h2>", sanitize=False)
                    self.costs = ui.html("", sanitize=False)
            with ui.element("div").classes("panel"):
                ui.html("<h2>Card of the device</h2>", sanitize=False)
                self.fitted = ui.label().classes("soft")
                self.card = ui.html("<p>is being drawn ...</p>", sanitize=False).classes(
                    "device-card"
                )
            with ui.element("div").classes("panel"):
                ui.html("<h2>Conductances of an array</h2>", sanitize=False)
                with ui.element("div").classes("choices"):
                    self.layer = ui.select([*LAYERS], value=LAYERS[0], label="Layer")
                    self.array = ui.select([1], value=1, label="Array")
                    self.chip = ui.select([1], value=1, label="Chip")
                for each in (self.layer, self.array, self.chip):
                    each.props("outlined dense options-dense").on_value_change(self._draw_array)
                self.cells = ui.echart({}).classes("cells").style("height: 440px; width: 100%")
            with ui.element("div").classes("panel"):
                ui.html("<h2>The same on the command line</h2>", sanitize=False)
                ui.button("Show commands and TOML", on_click=self._tell).props(
                    "outline no-caps id=tell"
                )
                self.told = ui.element("div").style("margin-top: 12px")

    def _show(self, found: Answer) -> None:
        """All that an answer says."""
        self.shown = found
        self.numbers.set_content(fragments.numbers(found))
        self.dots.options.clear()
        self.dots.options.update(charts.accuracies(found))
        self.dots.update()
        self.costs.set_content(fragments.costs(found))
        self.told.clear()
        self._draw_array()

    def _draw_array(self) -> None:
        """The cells of the array that is chosen."""
        if self.shown is None:
            return
        cells = self.shown.cells[self.layer.value]
        for choice, count in ((self.chip, cells.shape[0]), (self.array, cells.shape[1])):
            value = min(choice.value, count)
            if len(choice.options) != count or choice.value != value:
                choice.set_options([*range(1, count + 1)], value=value)
        self.cells.options.clear()
        self.cells.options.update(charts.array(cells[self.chip.value - 1, self.array.value - 1]))
        self.cells.update()

    def _tell(self) -> None:
        """The commands, and the file that they read."""
        if self.shown is None:
            return
        ui, question = self.ui, self.shown.question
        self.told.clear()
        with self.told:
            for what, text in commands(question).items():
                ui.label(what).classes("soft")
                ui.label(text).classes("code command")
            ui.label(f"{file_name(question)}, which they read").classes("soft")
            ui.label(device_toml(question)).classes("code toml")
            ui.button(
                f"Download {file_name(question)}",
                on_click=lambda: ui.download.content(device_toml(question), file_name(question)),
            ).props("outline no-caps")  # fmt: skip
