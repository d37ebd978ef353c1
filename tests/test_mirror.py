"""Tests stand where the source does: src/mho/a/b.py is tested in tests/a/test_b.py.

Longer ones go on in tests/a/test_b_<subject>.py, and a folder that is one system, src/mho/a/b/, may
be tested as one, in tests/a/test_b.py. What is not so is listed here.
"""

import ast
from pathlib import Path

import mho

SOURCE, TESTS = Path(mho.__file__).parent, Path(__file__).parent

OF_MANY_FILES = {"contracts", "golden", "oracle"}
"""Folders: every member of a family, frozen numbers, and other programs and closed forms."""

WITHOUT_A_FILE = {
    "test_architecture.py": "which part imports which",
    "test_distribution.py": "what the wheel and the source distribution hold",
    "test_blocks.py": "blocks of code in docs/ and the other documents",
    "test_docs.py": "what docs/ and the other documents say",
    "test_examples.py": "the programs in examples/",
    "test_fuzz.py": "a little of fuzz/",
    "test_api.py": "what users import",
    "test_mirror.py": "this",
    "test_mistakes.py": "what users hand in by mistake, of every kind",
    "test_project.py": "version, hooks, changelog",
    "test_quantities.py": "bounds of every number of every setting",
    "test_readme.py": "what README.md says",
    "test_tutorials.py": "docs/tutorials",
    "test_shapes.py": "tests/shape_checker.py",
    "cli/test_cli.py": "the command as its user meets it",
    "cli/test_ends.py": "what all commands leave and say, however they end",
    "experiments/test_chip.py": "a system on a chip that is asked over a connection",
    "experiments/test_experiments.py": "what all systems promise",
    "fit/test_fit.py": "all kinds of files through one door",
    "fit/pulses/test_wild_trains.py": "trains that no cell makes, through the door of all fits",
    "fit/test_recovery.py": "what simulated files went in with comes out",
    "hardware/test_neurram_prices.py": "a price list against what was published",
    "physics/test_families.py": "cells of two and of many levels, and their presets",
    "physics/dynamics/test_loops.py": "hysteresis loops of all models",
    "physics/dynamics/test_models.py": "rates and currents of all models, by their sources",
    "report/test_browser.py": "the page in a browser",
    "sweep/test_sweep.py": "a sweep from its plan to its results",
}
"""Tests of what lies in several files, or in none."""

ELSEWHERE = {
    # What a page says of the chips is held to the settings that it is read out of.
    "experiments/test_setup.py": ["results/setup.py"],
    # Wires: what joins blocks, and what solves for operating points, is held to nodal analysis.
    "circuits/test_wires.py": [
        "circuits/blocks.py", "circuits/segments.py", "circuits/star_product.py",
        "circuits/two_ports.py", "circuits/wiring.py",
    ],
    "circuits/test_operating_point.py": [
        "circuits/circuit.py", "circuits/linear_circuit.py", "circuits/newton.py",
    ],
    "hardware/test_adc.py": ["hardware/converter_errors.py"],
    # What a cost is made of is tested as its sum.
    "hardware/test_cost.py": ["hardware/area.py", "hardware/spending.py"],
    # Commands are tested by calling them.
    "cli/test_cli.py": [
        "cli/commands.py", "cli/options.py", "cli/report.py", "cli/run.py", "cli/terminal.py",
    ],
    "cli/test_help_text.py": ["cli/names.py"],
    "experiments/test_own_code.py": ["files/code.py"],
    "cli/test_listing.py": ["cli/catalogue.py"],
    "test_config.py": ["documented.py"],
    "cli/test_netlist.py": ["cli/conductances.py"],
    # A trial and the lab measure with the same pieces.
    "trial/test_trial.py": ["trial/chips.py", "trial/costs.py"],
    "lab/test_charts.py": ["lab/fragments.py"],
    "lab/test_page.py": ["cli/lab.py", "lab/server.py"],
    "test_api.py": ["public.py"],
    "experiments/test_pool.py": ["cli/pool.py"],
    "experiments/test_run.py": [
        "experiments/checkpoint.py", "experiments/execution.py",
    ],
    "sweep/test_sweep.py": [
        "cli/search.py", "cli/sweep.py", "sweep/check.py", "sweep/driver.py", "sweep/folder.py",
        "sweep/run.py", "sweep/worker.py",
    ],
    "sweep/test_engines.py": ["files/extras.py", "sweep/job.py", "sweep/process.py"],
    "sweep/test_live.py": ["sweep/standing.py"],
    "sweep/test_overview.py": [
        "report/overview.py", "results/overview.py", "sweep/figures.py",
    ],
    "sweep/test_records.py": ["sweep/record.py"],
    "experiments/test_memory.py": ["experiments/systems.py"],
    # Every cell, law and model goes through the tests of its family.
    "contracts/test_cells.py": [
        "physics/cell.py", "physics/multi_level.py", "physics/noise.py", "physics/pulsed_cell.py",
        "physics/spread.py", "physics/two_state.py",
    ],
    "contracts/test_conduction.py": ["physics/conduction.py"],
    "contracts/test_made_up.py": ["physics/datasheet.py", "physics/imperfection.py"],
    "contracts/test_dynamics.py": [
        "physics/dynamics/ion_drift.py", "physics/dynamics/jart.py", "physics/dynamics/model.py",
        "physics/dynamics/resistive.py", "physics/dynamics/source.py",
        "physics/dynamics/stanford_pku.py", "physics/dynamics/transient.py",
        "physics/dynamics/vteam.py", "physics/trajectory.py",
    ],
    "kernels/test_contact.py": ["physics/dynamics/contact_in_series.py"],
    "physics/test_programming.py": ["physics/open_loop.py", "physics/verify.py"],
    "physics/test_families.py": ["physics/devices.py"],
    "physics/dynamics/test_models.py": ["physics/dynamics/presets.py"],
    "card/test_numbers.py": ["physics/preset.py"],
    # Parts of a chip and of a layer that nobody uses alone.
    "hardware/test_crossbar.py": ["hardware/programming.py"],
    "hardware/test_store.py": [
        "hardware/writes.py", "kernels/folding.py", "kernels/planning.py",
        "kernels/programming.py", "kernels/records.py",
    ],
    "hardware/test_assignment.py": ["hardware/placement.py"],
    "learning/test_age.py": ["hardware/ageing.py"],
    "learning/test_attach.py": ["hardware/arrays.py", "hardware/on_instrument.py"],
    "instruments/test_remote.py": ["hardware/instrument.py"],
    "instruments/test_state_file.py": ["instruments/chip_state.py"],
    "learning/layers/test_attention.py": [
        "learning/layers/composite.py", "learning/layers/conversion.py",
    ],
    "learning/noise_aware/test_conversions.py": ["learning/noise_aware/trained_converter.py"],
    "learning/noise_aware/test_noise_aware.py": [
        "learning/noise_aware/recorded.py", "learning/noise_aware/recurrent.py",
    ],
    "learning/layers/test_recurrent.py": [
        "learning/layers/recurrence.py", "learning/layers/steps.py",
    ],
    "learning/layers/test_layer.py": ["learning/layers/linear.py", "learning/layers/product.py"],
    "learning/repair/test_refit.py": ["learning/repair/chip_linear.py"],
    "learning/repair/test_batchnorm.py": ["learning/repair/chip_batchnorm.py"],
    "learning/test_convert.py": ["learning/selection.py"],
    "learning/test_coverage.py": ["learning/layer_table.py", "learning/ledger.py"],
    # What draws a page is seen on the page.
    "report/test_page.py": [
        "report/figures.py", "report/plots.py", "report/provenance.py", "report/svg.py",
        "report/axes.py", "report/templates.py",
    ],
    "report/test_circuits.py": ["report/drawing.py", "report/wiring.py"],
    "interchange/test_onnx_network.py": ["interchange/onnx_layers.py"],
    "report/test_comparison.py": ["report/terminal.py"],
    "report/test_ranking.py": ["results/ranking.py"],
    "report/test_tables.py": ["results/tables.py"],
    "cli/test_show.py": ["report/card.py"],
    "fit/test_levels.py": ["fit/level_spread.py"],
    "fit/test_bake.py": ["fit/activation.py", "fit/bakes.py", "fit/heated_law.py"],
    "card/test_cell.py": ["results/card.py"],
    "cli/test_fit.py": ["report/measured.py", "report/residuals.py"],
}  # fmt: skip
"""Test file: source files that it tests, which have none of their own."""


def has_logic(file: Path) -> bool:
    """Whether a file defines a function or a class."""
    body = ast.parse(file.read_text(encoding="utf-8")).body
    return any(isinstance(node, ast.FunctionDef | ast.ClassDef) for node in body)


SOURCE_FILES = {
    file.relative_to(SOURCE)
    for file in SOURCE.rglob("*.py")
    if file.name not in ("__init__.py", "__main__.py") and has_logic(file)
}
TEST_FILES = {file.relative_to(TESTS) for file in TESTS.rglob("test_*.py")}


def is_of(test: Path, source: Path) -> bool:
    """Whether a test file is that of a source file, or of its folder."""
    own = test.parent == source.parent and f"{test.stem}_".startswith(f"test_{source.stem}_")
    return own or test == source.parent.parent / f"test_{source.parent.name}.py"


def test_every_source_file_is_tested_in_its_place() -> None:
    listed = {Path(source) for several in ELSEWHERE.values() for source in several}
    untested = {
        str(source)
        for source in SOURCE_FILES
        if not any(is_of(test, source) for test in TEST_FILES)
    }
    assert untested == {str(source) for source in listed}


def test_every_test_file_has_its_source() -> None:
    homeless = {
        str(test)
        for test in TEST_FILES
        if test.parts[0] not in OF_MANY_FILES
        and not any(is_of(test, source) for source in SOURCE_FILES)
    }
    assert homeless == set(WITHOUT_A_FILE)


def test_what_is_listed_exists() -> None:
    for test, several in ELSEWHERE.items():
        assert (TESTS / test).exists(), test
        for source in several:
            assert (SOURCE / source).exists(), source
