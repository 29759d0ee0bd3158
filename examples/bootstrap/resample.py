"""Draws 500 samples from the sample, with replacement and as large as it is, and prints the mean of each."""
import random
import sys

draw = random.Random(int(sys.argv[1]))
with open(sys.argv[2]) as file:
    sample = [float(line) for line in file]
for _ in range(500):
    print(sum(sample[int(draw.random() * len(sample))] for _ in sample) / len(sample))
