"""The interval that holds 95 % of the means, and their spread, which theory says is s / sqrt(n)."""
import fileinput
import math
import statistics
import sys

with open(sys.argv[1]) as file:
    sample = [float(line) for line in file]
means = sorted(float(line) for line in fileinput.input(sys.argv[2:]))
low, high = means[len(means) * 25 // 1000], means[len(means) * 975 // 1000]
spread, theory = statistics.stdev(means), statistics.stdev(sample) / math.sqrt(len(sample))
print(f"mean of {len(sample)} waiting times: {statistics.mean(sample):.2f} minutes")
print(f"95 % of {len(means)} bootstrap means: {low:.2f} to {high:.2f} minutes")
print(f"standard error: {spread:.3f}, from the formula {theory:.3f}")
sys.exit(not low < 10 < high or abs(spread / theory - 1) > 0.05)
