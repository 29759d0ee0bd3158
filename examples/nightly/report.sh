# How many lines there are in night $1, and how many of them are new.
now=$(cat count_"$1".txt)
before=$(cat count_$(($1 - 1)).txt 2>/dev/null || echo 0)
echo "night $1: $((now)) lines, $((now - before)) new"
