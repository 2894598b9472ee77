"""Handouts: a chapter as homework, and its grading.

Read in this order: `questions` (the exercises of a chapter), `copies` (what students and
instructors get), `values` (answers as data), `sandbox` (what a returned notebook may do),
`answering` (the program that runs one) and `grading` (a folder of them becomes a table).
"""

from quire.workbook.handouts.copies import hand_out
from quire.workbook.handouts.grading import Grade, grade

__all__ = ["Grade", "grade", "hand_out"]
