"""Gradient descent on a valley with curvatures 1 and 9: prints the learning rate and the distance that is left."""
import sys

rate = float(sys.argv[1])
curvatures, position = (1, 9), [1.0, 1.0]
for _ in range(20):
    position = [x - rate * c * x for c, x in zip(curvatures, position)]
print(f"{rate:.5f} {max(abs(x) for x in position):.3e}")
