# figures.awk: reads the measurements of bench.sh, one per line:
# LABEL|JOB|ROUND|MESSAGES|LINE|SECONDS|PROCESSOR-SECONDS, and of a paced job also the median
# and the 99th percentile of the responses, us. LINE is the ns in which a cache line went to
# the other processor and back, just before, or -1. peers and jobs have all labels and jobs,
# separated by |; the others are compared with the first peer. "memcpy" is what the machine
# itself can do in that round.
BEGIN {
    FS = "|"
    many = split(peers, peer, "|")
    all = split(jobs, job, "|")
}
{
    split($2, part, " ")
    if ($1 == "memcpy") {
        got = $4 * 262144 / $6 / 1e9 # GB/s
        value["refill", $2, $3] = $4 * 262144 / $7 / 1e9
    } else if (part[1] == "paced") {
        got = $8 # us
        late[$1, $2, $3] = $9
    } else if (part[1] == "roundtrip")
        got = $6 / $4 * 1e6 # us
    else if (part[2] > 1024)
        got = $4 * part[2] / $6 / 1e9 # GB/s
    else
        got = $4 / $6 / 1e6 # M msg/s
    value[$1, $2, $3] = got
    if ($5 >= 0) {
        value["line of " $1, $2, $3] = $5 / 1e3 # us
        distance[$1, $2, $3] = $5 < 150 ? "near" : "far"
    }
    cpu[$1, $2, $3] = $7 / $4 * 1e6 # us per message, or seconds per million
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

# ratio returns the median of the rounds of label / base in a figure, -1 if there are none.
# With where it is only for the rounds in which the processors were "near" or "far" for both;
# count is set to their number.
function ratio(figure, label, base, job, where,    r, each) {
    count = 0
    for (r = 1; r <= rounds; r++) {
        if (!((label, job, r) in figure) || !((base, job, r) in figure)) continue
        if (where && (distance[label, job, r] != where || distance[base, job, r] != where)) continue
        each[label, job, r] = figure[label, job, r] / figure[base, job, r]
        count++
    }
    return middle(each, label, job)
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

# times formats a ratio.
function times(v) { return v < 0 ? "-" : v < 0.0995 ? digits(v) : sprintf("%.2f", v) }
