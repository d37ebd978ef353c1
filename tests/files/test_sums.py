"""SHA256SUMS names what was changed after it was written."""

import shutil
import subprocess
from pathlib import Path

import pytest

from mho.files import check_sums, sums_of
from mho.files.sums import SUMS

CONTENTS = {"result.json": b"{}", "config.toml": b"a = 1\n"}


def fill(folder: Path) -> None:
    for name, content in CONTENTS.items():
        (folder / name).write_bytes(content)
    (folder / SUMS).write_bytes(sums_of(CONTENTS))


def test_what_is_whole_passes_and_what_is_not_is_named(tmp_path: Path) -> None:
    fill(tmp_path)
    check_sums(tmp_path, "result.json", "config.toml", "not listed")
    (tmp_path / "config.toml").write_bytes(b"a = 2\n")
    check_sums(tmp_path, "result.json")
    with pytest.raises(ValueError, match=r"config\.toml: its SHA-256 is not the one in SHA256SUMS"):
        check_sums(tmp_path, "result.json", "config.toml")
    (tmp_path / "config.toml").unlink()
    with pytest.raises(ValueError, match="No such file"):
        check_sums(tmp_path, "config.toml")
    (tmp_path / SUMS).unlink()
    check_sums(tmp_path, "result.json", "config.toml")


@pytest.mark.skipif(shutil.which("sha256sum") is None, reason="sha256sum is not there")
def test_the_usual_program_reads_it(tmp_path: Path) -> None:
    fill(tmp_path)
    subprocess.run(["sha256sum", "--check", "--strict", SUMS], cwd=tmp_path, check=True)
