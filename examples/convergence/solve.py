"""Solves y' = -y, y(0) = 1 up to t = 1 with one of three methods; prints the error as JSON."""
import json
import math
import sys


def euler(y, h):
    return y + h * -y


def midpoint(y, h):
    return y + h * -(y + h / 2 * -y)


def runge_kutta(y, h):
    a = -y
    b = -(y + h / 2 * a)
    c = -(y + h / 2 * b)
    d = -(y + h * c)
    return y + h / 6 * (a + 2 * b + 2 * c + d)


method, steps = sys.argv[1], int(sys.argv[2])
y = 1.0
for _ in range(steps):
    y = {"euler": euler, "midpoint": midpoint, "runge_kutta": runge_kutta}[method](y, 1 / steps)
json.dump({"method": method, "steps": steps, "error": abs(y - math.exp(-1))}, sys.stdout)
