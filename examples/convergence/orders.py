"""The order of each method: half the step makes the error smaller by 2 to the power of the order."""
import json
import math
import sys

with open(sys.argv[1]) as file:
    results = json.load(file)["args"]
known = {"euler": 1, "midpoint": 2, "runge_kutta": 4}
wrong = 0
for method, order in known.items():
    errors = [r["error"] for r in sorted(results, key=lambda r: r["steps"]) if r["method"] == method]
    measured = math.log2(errors[-2] / errors[-1])
    print(f"{method:12s} errors {' '.join(f'{e:.1e}' for e in errors)}  order {measured:.2f}")
    wrong += abs(measured - order) > 0.1
sys.exit(wrong)
