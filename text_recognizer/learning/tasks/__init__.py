"""Tasks: one file each, registered by name; what is true of one task only stands in its file.

Importing this package imports every task file, so that the registry is complete.
"""

from text_recognizer.learning.tasks.task import EvaluationOptions, Experiment, Task, find, names, register

# Messages list the tasks in this order.
# isort: off
from text_recognizer.learning.tasks import lines, detector, characters, paragraphs, attention_lines  # noqa: F401
# isort: on

__all__ = ["EvaluationOptions", "Experiment", "Task", "find", "names", "register"]
