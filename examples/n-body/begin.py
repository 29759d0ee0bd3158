"""Six stars of equal mass on a circle, each as fast as it takes to stay on it: three to a file."""
import math
import sys

# the pull of the five others, all of mass 1 at distances of 2 sin(k pi / 6), towards the centre
pull = sum(1 / (4 * math.sin(k * math.pi / 6)) for k in range(1, 6))
speed = math.sqrt(pull)
for half, path in enumerate(sys.argv[1:]):
    with open(path, "w") as file:
        for star in range(3 * half, 3 * half + 3):
            angle = star * math.pi / 3
            x, y = math.cos(angle), math.sin(angle)
            print(x, y, -speed * y, speed * x, file=file)
