"""What a user waits for before anything is computed, against `import torch`.

Processor time of processes that are started in turn; compiled bytecode of all of them is kept in a
folder of its own, as after an installation. `--kernels` also shows the first training on a machine,
for which loops are compiled, and the second one.
Run: python benchmarks/first_use.py [--rounds 7] [--kernels]
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile

FLOOR = ("import torch", ["-c", "import torch"])
STARTS = {
    "import mho": ["-c", "import mho"],
    "import mho; mho.convert": ["-c", "import mho; mho.convert"],
    "mho --help": ["-m", "mho", "--help"],
    "mho run --help": ["-m", "mho", "run", "--help"],
    "mho --version": ["-m", "mho", "--version"],
    "mho list": ["-m", "mho", "list"],
    "mho list devices": ["-m", "mho", "list", "devices"],
}

TRAINING = """
import torch, mho
torch.set_num_threads(1)
model = torch.nn.Sequential(torch.nn.Linear(784, 128), torch.nn.ReLU(), torch.nn.Linear(128, 10))
net = mho.convert(model, mho.Hardware(device="hfo2-1t1r", dac_bits=8, adc_bits=8))
step, optimizer = mho.WriteStep(net), torch.optim.SGD(net.parameters(), 0.1)
torch.nn.functional.cross_entropy(net(torch.rand(64, 784)), torch.zeros(64).long()).backward()
optimizer.step(), step()
"""


def started(words: list[str], **variables: str) -> float:
    """Processor seconds of a process of Python."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [sys.executable, *words], env=os.environ | variables, stdout=subprocess.DEVNULL, check=True
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def main() -> None:
    """Print a line for each start."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--kernels", action="store_true")
    given = parser.parse_args()
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    with tempfile.TemporaryDirectory() as folder:
        kept = {"PYTHONPYCACHEPREFIX": folder, "OMP_NUM_THREADS": "1"}
        starts = dict([FLOOR]) | STARTS
        times: dict[str, list[float]] = {name: [] for name in starts}
        for turn in range(given.rounds + 1):
            for name, words in starts.items():
                taken = started(words, **kept)
                if turn > 0:  # bytecode is there
                    times[name].append(taken)
        print(f"{'':<26} {'[s]':>6} {'ratio':>6}")
        for name, all_of in times.items():
            pairs = zip(all_of, times[FLOOR[0]], strict=True)
            ratio = statistics.median(own / floor for own, floor in pairs)
            print(f"{name:<26} {statistics.median(all_of):6.2f} {ratio:6.2f}")
        if given.kernels:
            for name in ("first", "second"):
                taken = started(["-c", TRAINING], **kept, NUMBA_CACHE_DIR=folder)
                print(f"{f'{name} training':<26} {taken:6.2f}")


if __name__ == "__main__":
    main()
