"""Numbers of many digits that carry their derivatives along.

A Dual is a value and its derivatives by some variables, all mpmath numbers,
so that a formula written once gives its gradient too.  Where a formula has a
kink, what is used here says what the derivative is:
  lesser, greater   at a tie each side gets one half
  at_least          the bound lets the derivative pass, as clamp does
  hold              a constant as far as derivatives go
Values are rounded to double once, correctly, subnormal results included.
"""
import json
import math
from fractions import Fraction

from mpmath import mp, mpf


class Dual:
    __slots__ = ("v", "d")

    def __init__(self, v, d=None):
        self.v, self.d = mpf(v), d or {}

    def chain(self, v, slope):
        return Dual(v, {k: slope * g for k, g in self.d.items()})

    def __add__(self, o):
        o = dual(o)
        d = dict(self.d)
        for k, g in o.d.items():
            d[k] = d.get(k, 0) + g
        return Dual(self.v + o.v, d)

    def __mul__(self, o):
        o = dual(o)
        d = {k: g * o.v for k, g in self.d.items()}
        for k, g in o.d.items():
            d[k] = d.get(k, 0) + g * self.v
        return Dual(self.v * o.v, d)

    def __neg__(self):
        return self.chain(-self.v, -1)

    def __sub__(self, o):
        return self + -dual(o)

    def __rsub__(self, o):
        return dual(o) - self

    def __truediv__(self, o):
        o = dual(o)
        return self * o.chain(1 / o.v, -1 / o.v ** 2)

    def __rtruediv__(self, o):
        return dual(o) / self

    def __pow__(self, k):
        if k == 0:
            return Dual(1)
        return self.chain(self.v ** k, k * self.v ** (k - 1))

    def __abs__(self):
        return self.chain(abs(self.v), mp.sign(self.v))

    def __lt__(self, o):
        return self.v < dual(o).v

    def __le__(self, o):
        return self.v <= dual(o).v

    def __gt__(self, o):
        return self.v > dual(o).v

    def __ge__(self, o):
        return self.v >= dual(o).v

    __radd__, __rmul__ = __add__, __mul__


def dual(x):
    return x if isinstance(x, Dual) else Dual(x)


def variables(xs, first=0):
    return [Dual(x, {first + i: mpf(1)}) for i, x in enumerate(xs)]


def hold(x):
    return Dual(dual(x).v)


def exp(x):
    x = dual(x)
    y = mp.exp(x.v)
    return x.chain(y, y)


def expm1(x):
    x = dual(x)
    return x.chain(mp.expm1(x.v), mp.exp(x.v))


def log(x):
    x = dual(x)
    return x.chain(mp.log(x.v), 1 / x.v)


def log1p(x):
    x = dual(x)
    return x.chain(mp.log1p(x.v), 1 / (1 + x.v))


def sqrt(x):
    x = dual(x)
    y = mp.sqrt(x.v)
    return x.chain(y, 1 / (2 * y))


def tanh(x):
    x = dual(x)
    y = mp.tanh(x.v)
    return x.chain(y, 1 - y * y)


def erfc(x):
    x = dual(x)
    if abs(x.v) > 1000:
        tiny = mpf("1e-100000")  # what mpmath does not do; 0 as a double
        return x.chain(tiny if x.v > 0 else 2 - tiny, -tiny)
    return x.chain(mp.erfc(x.v), -2 / mp.sqrt(mp.pi) * mp.exp(-x.v ** 2))


def atan2(y, x):
    y, x = dual(y), dual(x)
    r = y.v ** 2 + x.v ** 2
    if r == 0:
        return Dual(0)
    a = y.chain(0, x.v / r) + x.chain(0, -y.v / r)
    return Dual(mp.atan2(y.v, x.v), a.d)


def sigmoid(x):
    """Without cancellation at either end."""
    return 1 / (1 + exp(-dual(x)))


def softplus(x):
    """ln(1 + e^x), a derivative that is right where e^x overflows digits."""
    x = dual(x)
    return log1p(exp(x)) if x.v <= 0 else x + log1p(exp(-x))


def pick(x, y, keep_x):
    x, y = dual(x), dual(y)
    if x.v == y.v:
        return Dual(x.v, ((x + y) * mpf("0.5")).d)
    return x if keep_x(x.v, y.v) else y


def greater(x, y):
    return pick(x, y, lambda a, b: a > b)


def lesser(x, y):
    return pick(x, y, lambda a, b: a < b)


def at_least(x, low):
    x = dual(x)
    return x if x.v >= low else Dual(low)


def total(xs):
    s = Dual(0)
    for x in xs:
        s = s + x
    return s


def nearest(x):
    """The double nearest to an mpmath number, ties to even."""
    x = mpf(x)
    if mp.isnan(x):
        return math.nan
    if mp.isinf(x):
        return math.inf if x > 0 else -math.inf
    sign, man, exponent, bits = x._mpf_
    size = exponent + bits
    if not man:
        return 0.0
    if size > 1100:
        y = math.inf
    elif size < -1200:
        y = 0.0
    else:
        try:
            y = float(Fraction(int(man)) * Fraction(2) ** exponent)
        except OverflowError:
            y = math.inf
    return -y if sign else y


def plain(x):
    """A Dual, mpmath number or nest of them as what JSON has."""
    if isinstance(x, (list, tuple)):
        return [plain(y) for y in x]
    if isinstance(x, (bool, int, str)) or x is None:
        return x
    y = x if isinstance(x, float) else nearest(dual(x).v)
    if math.isnan(y):
        return "NaN"
    if math.isinf(y):
        return "Infinity" if y > 0 else "-Infinity"
    return y


def text(value):
    return json.dumps(value, separators=(",", ":"))
