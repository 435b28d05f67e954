#!/usr/bin/env python3
"""usage: tests/golden/operations.py

Writes tests/golden/operations.jsonl: one case per line, a request's inputs and
parameters and what must come back.  The formulas are written here once more,
apart from the kernels, and evaluated by mpmath with 400 digits; gradients are
those of the formula, by dual numbers (dual.py).  No case is chosen by what
the kernels answer.
"""
import cases
from boxes import all_boxes
from losses import all_losses
from others import all_others

all_losses()
all_boxes()
all_others()
cases.write()
