"""Moves the stars of the first file by one of 12 steps for a quarter of a turn, and prints them (leapfrog)."""
import math
import sys


def stars(path):
    with open(path) as file:
        return [[float(word) for word in line.split()] for line in file]


def drift(bodies, time):
    return [[x + time * vx, y + time * vy, vx, vy] for x, y, vx, vy in bodies]


pull = sum(1 / (4 * math.sin(k * math.pi / 6)) for k in range(1, 6))
step = math.pi / 2 / math.sqrt(pull) / 12
own, others = (drift(stars(path), step / 2) for path in sys.argv[1:])
for star in own:
    for other in own + others:
        if other is not star:
            dx, dy = other[0] - star[0], other[1] - star[1]
            cube = math.hypot(dx, dy) ** 3
            star[2] += step * dx / cube
            star[3] += step * dy / cube
for star in drift(own, step / 2):
    print(*star)
