#!/usr/bin/env python3
"""Where the constants of core/elementary.h and activation_gated.c come from.

Each is the rational function (a polynomial, where its denominator has degree
0) with the smallest largest relative error on an interval, found by Remez's
exchange in 60 digits and rounded to double.  The printed error is that of the
rounded constants in exact arithmetic.
"""
import mpmath as mp

mp.mp.dps = 60


def relative_error(f, num, den, x):
    return mp.polyval(num[::-1], x) / (mp.polyval(den[::-1], x) * f(x)) - 1


def solve(f, m, n, points, level):
    """num/den = f (1 +- E) at points; num[0] = 1 fixes the scale of both."""
    a, b = mp.matrix(m + n + 2, m + n + 2), mp.matrix(m + n + 2, 1)
    for i, x in enumerate(points):
        fx, sign = f(x), (-1) ** i
        for j in range(1, m + 1):
            a[i, j - 1] = x**j
        for j in range(n + 1):
            a[i, m + j] = -fx * (1 + sign * level) * x**j
        b[i] = -1
        # The unknown change of the level, at the denominator's last estimate.
        a[i, m + n + 1] = -fx * sign * solve.den(x)
    z = mp.lu_solve(a, b)
    num = [mp.mpf(1)] + [z[j] for j in range(m)]
    den = [z[m + j] for j in range(n + 1)]
    return num, den, level + z[m + n + 1]


def extrema(error, place, count, fine=40):
    """The places of the alternating extrema of the error, by golden search."""
    grid = [place(mp.mpf(i) / (count * fine)) for i in range(count * fine + 1)]
    values = [error(x) for x in grid]
    runs, start = [], 0
    for i in range(1, len(grid) + 1):
        if i == len(grid) or values[i] * values[start] <= 0:
            runs.append(max(range(start, i), key=lambda j: abs(values[j])))
            start = i
    found = []
    for j in runs:
        lo, hi = grid[max(j - 1, 0)], grid[min(j + 1, len(grid) - 1)]
        for _ in range(30):
            third = (hi - lo) / 3
            if abs(error(lo + third)) < abs(error(hi - third)):
                lo += third
            else:
                hi -= third
        found.append((lo + hi) / 2)
    return found


def remez(f, m, n, end, place=None):
    """Coefficients num, den from low to high, den[0] free, num[0] = 1."""
    place = place or (lambda t: end * (1 - mp.cos(mp.pi * t)) / 2)
    count = m + n + 2
    points = [place(mp.mpf(i) / (count - 1)) for i in range(count)]
    solve.den = lambda x: 1 / f(x)
    level = mp.mpf(0)
    for _ in range(25):
        for _ in range(8):
            num, den, level = solve(f, m, n, points, level)
            solve.den = lambda x, den=den: mp.polyval(den[::-1], x)
        found = extrema(lambda x: relative_error(f, num, den, x), place, count)
        if len(found) != count:
            raise ArithmeticError(f"{len(found)} extrema, want {count}")
        highs = [abs(relative_error(f, num, den, x)) for x in found]
        points = found
        if max(highs) < min(highs) * mp.mpf("1.001"):
            break
    return num, den


def worst(f, num, den, place):
    grid = (place(mp.mpf(i) / 2000) for i in range(2001))
    return max(abs(relative_error(f, num, den, x)) for x in grid)


def show(title, f, num, den, place):
    print(f"{title}: 2^{mp.nstr(mp.log(worst(f, num, den, place), 2), 4)}")
    print("  numerator  ", ", ".join(repr(float(c)) for c in num))
    if len(den) > 1:
        print("  denominator", ", ".join(repr(float(c)) for c in den))


def rounded(coefficients):
    return [mp.mpf(float(c)) for c in coefficients]


def half_tanh(unit, degree, end):
    """tanh(unit r / 2) = r Q(r^2) / P(r^2), so e^r = (P + rQ) / (P - rQ).

    Scaled for Q's highest coefficient to be 1; with unit 1, Q(0) = P(0) / 2
    exactly, which keeps tanh x = x for tiny x.
    """
    def f(y):
        r = mp.sqrt(y) if y > 0 else mp.mpf(0)
        return mp.tanh(unit * r / 2) / r if r else unit / 2

    num, den = remez(f, degree, degree, end * end)
    scale = num[-1]
    num, den = rounded(c / scale for c in num), rounded(c / scale for c in den)
    if unit == 1:
        num[0] = den[0] / 2
    show(f"tanh({mp.nstr(unit, 4)} r / 2) / r, r^2 to {mp.nstr(end * end, 4)}",
         f, num, den, lambda t: end * end * t)


def atanh_tail(end, terms):
    """(2 atanh(w) / w - 2) / y, y = w^2 <= end."""
    def f(y):
        if y < mp.mpf("1e-12"):
            return 2 * (mp.mpf(1) / 3 + y / 5 + y * y / 7)
        w = mp.sqrt(y)
        return (2 * mp.atanh(w) / w - 2) / y

    num, den = remez(f, terms - 1, 0, end)
    num, den = rounded(c / den[0] for c in num), [mp.mpf(1)]
    show(f"(2 atanh(w)/w - 2)/w^2, w^2 to {mp.nstr(end, 4)}", f, num, den,
         lambda t: end * t)


def normal_tail(n, end):
    """e^(x^2/2) erfc(x / sqrt 2) / 2, x from 0 to end."""
    def f(x):
        return mp.exp(x * x / 2) * mp.erfc(x / mp.sqrt(2)) / 2

    def place(t):  # from Chebyshev's points, denser near 0
        z = (1 - mp.cos(mp.pi * t)) / 2
        return 3 * z / (1 - z + 3 * z / end)

    num, den = remez(f, n - 1, n, end, place)
    scale = den[-1] if den[-1] > 1 else mp.mpf(1)
    num, den = rounded(c / scale for c in num), rounded(c / scale for c in den)
    show(f"normal tail to {end}", f, num, den, place)


def root(title, f, guess, width, terms):
    """f(x) / (x - x0) around the root x0 of f, by powers of x - x0."""
    x0 = mp.findroot(f, guess)
    high = mp.mpf(float(x0))

    def quotient(t):
        t = t if abs(t) > 1e-25 else mp.mpf("1e-25")
        return f(x0 + t) / t

    def place(u):
        return -width * mp.cos(mp.pi * u)

    num, den = remez(quotient, terms - 1, 0, width, place)
    num, den = rounded(c / den[0] for c in num), [mp.mpf(1)]
    show(f"{title}, within {width} of the root", quotient, num, den, place)
    print("  root       ", repr(float(high)), repr(float(x0 - high)))


def logistic(x):
    return 1 / (1 + mp.exp(-x))


def swish_slope(x):
    return logistic(x) * (1 + x * logistic(-x))


def mish_slope(x):
    t = mp.tanh(mp.log1p(mp.exp(x)))
    return t + x * (1 - t * t) * logistic(x)


def gelu_slope(x):
    return mp.ncdf(x) + x * mp.npdf(x)


LINEAR = 2 * mp.sqrt(2 / mp.pi)
CUBIC = mp.mpf("0.044715") * LINEAR


def gelu_tanh_slope(x):
    s = logistic(x * (LINEAR + CUBIC * x * x))
    return s + x * (LINEAR + 3 * CUBIC * x * x) * s * (1 - s)


def two_parts(title, x):
    high = mp.mpf(float(x))
    print(f"{title}: {float(high)!r} {float(x - high)!r}")


if __name__ == "__main__":
    edge = mp.log(2) / 2 * mp.mpf("1.0001")
    half_tanh(mp.log(2), 1, mp.mpf("0.5001"))
    half_tanh(mp.mpf(1), 2, edge)
    atanh_tail(mp.mpf(1) / 9, 5)
    atanh_tail(mp.mpf(1) / 9, 10)
    atanh_tail((mp.sqrt(2) - 1) ** 4 * mp.mpf("1.0001"), 7)
    normal_tail(6, 16)
    normal_tail(11, 40)
    quarter = mp.mpf("0.25")
    root("swish'", swish_slope, -1.28, quarter, 14)
    root("mish'", mish_slope, -1.19, quarter, 14)
    root("gelu'", gelu_slope, -0.75, quarter, 14)
    root("gelu' by tanh", gelu_tanh_slope, -0.75, quarter, 14)
    two_parts("2 sqrt(2 / pi)", LINEAR)
    two_parts("0.044715 * 2 sqrt(2 / pi)", CUBIC)
