"""The lecture's assertions, each shown as a measurement, and the page that `scripts/lecture.py` makes of them.

Instruments are in `audit.instruments`; a section applies them to real images and trained weights, and one paragraph
says what came out. What every section needs can be imported from here.
"""

from audit.lecture.material import Material as Material
from audit.lecture.section import Found as Found
from audit.lecture.section import Table as Table
