"""Waiting times at a bus stop where a bus comes every 10 minutes on average: 200 values."""
import random

stop = random.Random(1)
for _ in range(200):
    print(stop.expovariate(1 / 10))
