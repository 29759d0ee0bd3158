"""Estimates pi 40 times from n random points in a square: the share of those inside the circle is pi / 4."""
import random
import sys

n, seed = int(sys.argv[1]), int(sys.argv[2])
points = random.Random(1000 * n + seed)
for _ in range(40):
    hits = sum(points.random() ** 2 + points.random() ** 2 < 1 for _ in range(n))
    print(n, 4 * hits / n)
