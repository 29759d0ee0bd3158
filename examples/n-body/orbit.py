"""Compares the stars with where a quarter of a turn takes them."""
import fileinput
import math
import sys

positions = [[float(word) for word in line.split()][:2] for line in fileinput.input()]
worst = 0
for star, (x, y) in enumerate(positions):
    angle = star * math.pi / 3 + math.pi / 2
    worst = max(worst, math.hypot(x - math.cos(angle), y - math.sin(angle)))
print(f"after a quarter of a turn the {len(positions)} stars are within {worst:.3f} of where they belong")
sys.exit(worst > 0.01)
