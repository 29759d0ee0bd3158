"""The error of the estimates for each n, and the slope of its logarithm, which theory says is -1/2."""
import collections
import fileinput
import math
import sys

errors = collections.defaultdict(list)
for line in fileinput.input():
    n, estimate = line.split()
    errors[int(n)].append(float(estimate) - math.pi)

points = []
for n, differences in sorted(errors.items()):
    error = math.sqrt(sum(d * d for d in differences) / len(differences))
    print(f"{n:6d} points: {len(differences)} estimates, error {error:.4f}")
    points.append((math.log(n), math.log(error)))

x_mean, y_mean = (sum(values) / len(points) for values in zip(*points))
slope = sum((x - x_mean) * (y - y_mean) for x, y in points) / sum((x - x_mean) ** 2 for x, _ in points)
print(f"the error falls with n to the power of {slope:.2f}")
sys.exit(abs(slope + 0.5) > 0.05)
