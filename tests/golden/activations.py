#!/usr/bin/env python3
"""usage: tests/golden/activations.py

Rewrites tests/golden/activations.txt: every value and gradient from the
formula of its section, by mpmath with 1000 digits.

A section is a line "name {parameters}: formula" and lines "x value grad";
"; relative 1e-12" after the formula allows doubles that much where the
problem is too ill-conditioned for 4 units in the last place.
The formula is Python over x, the parameters and the functions of dual.py; a
gradient at a branch is that of the side the formula takes.  A new section
needs no more than its first line: the usual x are added.  Of a line that has
only x, the rest is added.  Lines that begin with '!' are by hand and stay:
signed zeros, infinities, NaN, and conventions.
"""
import json
import math
import pathlib
import struct

from mpmath import mp

import dual

TABLE = pathlib.Path(__file__).with_name("activations.txt")
USUAL = """1e-45 1e-42 1.2e-38 1e-30 1e-20 1e-12 1e-8 1e-6 1e-4 1e-3 0.01 0.1
    0.25 0.5 0.75 1 1.25 1.5 2 2.4 2.5 2.75 3 3.25 3.5 4 5 6 7 8 10 12 14 16
    17 18 20 25 30 36 37 38 40 50 60 80 87 88 88.5 89 90 100 103 104 105 150
    300 500 700 708 709 710 740 744 745 746 750 1000 1e5 1e10 1e20 1e30 3e38"""
DOUBLES = """5e-324 1e-310 3e-308 1e-300 1e-160 1e-50 0.1 0.3 1.1 1.7 2.9 709.7
    745.1 1e100 1e155 1e160 1e300 1.7e308"""


def single(x):
    return struct.unpack("f", struct.pack("f", x))[0]


def usual():
    xs = {single(float(x)) for x in USUAL.split()}
    xs |= {float(x) for x in DOUBLES.split()}
    return sorted(-x for x in xs) + sorted(xs)


def number(x):
    if math.isfinite(x):
        return format(x, ".17g")
    return str(x)


def line(formula, names, x):
    y = eval(formula, names, {"x": dual.variables([x])[0]})
    y = dual.dual(y)
    grad = y.d.get(0, 0)
    return " ".join(map(number, [x, dual.nearest(y.v), dual.nearest(grad)]))


def section(head, body):
    _, rest = head.split(" ", 1)
    end = rest.index("}: ") + 1
    formula = compile(rest[end + 2:].split(";")[0], head, "eval")
    names = {k: getattr(dual, k) for k in dir(dual)}
    names |= {k: mp.mpf(v) for k, v in json.loads(rest[:end]).items()
              if isinstance(v, (int, float))}
    names |= {"pi": mp.pi, "mpf": mp.mpf}
    out = [head] + [s for s in body if s.startswith("!")]
    rest = [s for s in body if not s.startswith("!")]
    for s in rest or map(str, usual()):
        out.append(line(formula, names, float(s.split()[0])))
    return out


def main():
    mp.dps = 1000
    notes, sections = [], []
    for s in TABLE.read_text().splitlines():
        if s.startswith("#"):
            notes.append(s)
        elif s and s[0].isalpha():
            sections.append((s, []))
        elif s:
            sections[-1][1].append(s)
    out = notes
    for head, body in sections:
        out += [""] + section(head, body)
    TABLE.write_text("\n".join(out) + "\n")


main()
