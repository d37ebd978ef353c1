"""Takes the picture of a sweep's page, docs/sweep.png, with chromium.

Run: mho sweep siamese --set epochs=2 --set per_class=60 --set 'studies=[]' --set 'networks=["mlp"]'
         --set 'claimed=["float", "frugal", "level change", "sparse"]' --seeds 2 --out S
         --grid hardware.adc_bits=4,6,8 --grid hardware.weight_levels=4,16
     mho report S --claim mlp_accuracy --claim mlp_gone
     python docs/sweep.py S
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

DOCS = Path(__file__).resolve().parent


def main(folder: Path) -> None:
    """Write docs/sweep.png."""
    with tempfile.TemporaryDirectory() as profile:
        subprocess.run(
            ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
             f"--user-data-dir={profile}", "--window-size=1200,1750",
             f"--screenshot={DOCS / 'sweep.png'}", (folder / "report.html").absolute().as_uri()],
            check=True, capture_output=True,
        )  # fmt: skip


if __name__ == "__main__":
    main(Path(sys.argv[1]))
