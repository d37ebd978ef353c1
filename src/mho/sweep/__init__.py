"""Many runs as one folder: a plan of points, engines that work on them, and what came of it.

plan = mho.sweep.make("siamese", grid={"hardware.adc_bits": [4, 6, 8]}, seeds=5)
records = mho.sweep.run(plan, "runs/bits")        # what is done already is not repeated
pandas.DataFrame(mho.sweep.load("runs/bits").rows())

plan, points: which runs. folder: where they are, and how each stands. check: what is refused before
the first one. driver, engines, worker: going through them. record, records, index: what they came
to. places, standing: that by settings, in numbers. figures, front, overview, live: to look at it.
"""

from mho.sweep.plan import Plan, make, read
from mho.sweep.record import Measured, PointRecord
from mho.sweep.records import Records, load
from mho.sweep.run import run

__all__ = ["Measured", "Plan", "PointRecord", "Records", "load", "make", "read", "run"]
