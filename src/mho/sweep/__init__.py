"""Many runs as one folder: a plan of points, engines that work on them, and what came of it.

plan, points: which runs. folder: where they are, and how each stands. check: what is refused before
the first one. driver, engines, worker: going through them.
"""
