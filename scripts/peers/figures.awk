# figures.awk: reads the measurements of bench.sh, one per line:
# LABEL|JOB|ROUND|MESSAGES|SECONDS|PROCESSOR-SECONDS. peers has all labels, separated by |;
# the others are compared with the first.
BEGIN {
    FS = "|"
    many = split(peers, peer, "|")
    jobs = split("throughput 8|throughput 64|throughput 1024|throughput 65536|throughput 1048576|roundtrip 8|roundtrip 8 spin", job, "|")
}
{
    split($2, part, " ")
    if (part[1] == "roundtrip")
        got = $5 / $4 * 1e6 # us
    else if (part[2] > 1024)
        got = $4 * part[2] / $5 / 1e9 # GB/s
    else
        got = $4 / $5 / 1e6 # M msg/s
    value[$1, $2, $3] = got
    cpu[$1, $2, $3] = $6 / $4 * 1e6 # us per message, or seconds per million
    if ($3 + 0 > rounds) rounds = $3 + 0
}

# middle returns the median of the rounds of figure[label, job], -1 if there are none. It
# sets low and high.
function middle(figure, label, job,    n, r, i, v, sorted) {
    for (r = 1; r <= rounds; r++) {
        if (!((label, job, r) in figure)) continue
        v = figure[label, job, r]
        for (i = n++; i > 0 && sorted[i] > v; i--) sorted[i + 1] = sorted[i]
        sorted[i + 1] = v
    }
    if (!n) return -1
    low = sorted[1]
    high = sorted[n]
    return n % 2 ? sorted[(n + 1) / 2] : (sorted[n / 2] + sorted[n / 2 + 1]) / 2
}

# digits formats a figure with three significant digits.
function digits(v) {
    if (v >= 99.95) return sprintf("%.0f", v)
    if (v >= 9.995) return sprintf("%.1f", v)
    if (v >= 0.9995) return sprintf("%.2f", v)
    if (v >= 0.09995) return sprintf("%.3f", v)
    if (v >= 0.009995) return sprintf("%.4f", v)
    return sprintf("%.5f", v)
}
