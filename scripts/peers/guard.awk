# guard.awk, after figures.awk: fails if sluice has become slower. The limits are so wide, and
# the best round counts, that another machine or other work does not reach them.
BEGIN {
    # PEER|BASE|JOB|LEAST: PEER is at least LEAST times as fast as BASE.
    limits = split( \
        "sluice ring|pipe|throughput 8|5;" \
        "sluice ring, batched|sluice ring|throughput 8|0.5;" \
        "sluice ring, zero-copy|pipe|throughput 65536|1;" \
        "sluice typed ring|sluice ring|throughput 8|1.2;" \
        "sluice typed ring, windows|sluice ring|throughput 8|2;" \
        "sluice typed ring|Node.js SharedArrayBuffer|throughput 4|5;" \
        "sluice transfer, packed|sluice transfer, sealed|throughput 8|50;" \
        "sluice transfer, recycled|sluice transfer, sealed|throughput 8|4;" \
        "sluice transfer, sealed|memfd + SCM_RIGHTS, in C|throughput 8|0.6;" \
        "sluice ring|pipe|roundtrip 8|0.5;" \
        "sluice ring|pipe|roundtrip 8 spin|1.5", limit, ";")
}
END {
    for (i = 1; i <= limits; i++) {
        split(limit[i], part, "|")
        best = -1
        for (r = 1; r <= rounds; r++) {
            if (!((part[1], part[3], r) in value) || !((part[2], part[3], r) in value)) continue
            v = value[part[1], part[3], r] / value[part[2], part[3], r]
            if (part[3] ~ /^roundtrip/) v = 1 / v
            if (v > best) best = v
        }
        if (best < 0) continue
        looked++
        if (best >= part[4]) continue
        printf "%s is %.2f times as fast as %s in %s, in the best round; at least %s is expected\n", part[1], best, part[2], part[3], part[4]
        slow++
    }
    printf "%d of %d comparisons are as fast as expected\n", looked - slow, looked
    exit !looked || slow
}
