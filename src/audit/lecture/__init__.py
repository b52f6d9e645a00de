"""The lecture's assertions, each tested by a measurement, and the page that `scripts/lecture.py` makes of them.

Instruments are in `audit.instruments`. A section applies them to real images and trained weights, and one paragraph
describes the result. Sections import shared names from here.
"""

from audit.lecture.material import Material as Material
from audit.lecture.section import Found as Found
from audit.lecture.section import Table as Table
