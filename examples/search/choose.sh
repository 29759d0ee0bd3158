# Ends round $1: around the best of its seven rates the next round is three times finer.
cat loss_"$1"_*.txt > losses_"$1".txt
[ "$1" -lt 4 ] || exit 0
set -- $(($1 + 1)) $(sort -g losses_"$1".txt | awk '
  { rate[NR] = $1; if (NR == 1 || $2 < least) { least = $2; best = NR } }
  END { print (best > 1 ? rate[best - 1] : rate[1]), (best < NR ? rate[best + 1] : rate[NR]) }')
python3 next_round.py "$1" "$2" "$3" | torc jobs add-children - --before report
