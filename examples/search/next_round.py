"""Prints the jobs of a round as JSON: seven learning rates between low and high, and a job that chooses among them."""
import json
import sys

round_, low, high = int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3])
rates = [f"{low + (high - low) * i / 6:.5f}" for i in range(7)]
trainings = [
    {"name": f"train_{round_}_{i}", "command": f"python3 train.py {rate} > loss_{round_}_{i}.txt"}
    for i, rate in enumerate(rates)
]
choose = {
    "name": f"choose_{round_}",
    "command": f"sh choose.sh {round_}",
    "depends_on": [training["name"] for training in trainings],
}
json.dump([*trainings, choose], sys.stdout)
