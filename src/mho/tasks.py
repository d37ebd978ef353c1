"""Learning task after task: what each task keeps, which one an input is of, how well each is known.

The tasks themselves are in `mho.data`.
"""

from mho.learning.tasks.accuracy_matrix import AccuracyMatrix
from mho.learning.tasks.recognizer import TaskRecognizer
from mho.learning.tasks.task_states import TaskStates

__all__ = ["AccuracyMatrix", "TaskRecognizer", "TaskStates"]
