# page.awk, after figures.awk: the tables of bench.md.

# table prints the results of a job. more: larger values are better.
function table(job, unit, more,    p, v, text, r, ratio, better, each) {
    printf "| | %s | lowest to highest | times sluice ring | CPU s per million |\n|---|---|---|---|---|\n", unit
    for (p = 1; p <= many; p++) {
        v = middle(value, peer[p], job)
        if (v < 0) {
            printf "| %s | - | | | |\n", peer[p]
            continue
        }
        text = sprintf("| %s | %s | %s to %s |", peer[p], digits(v), digits(low), digits(high))
        for (r = 1; r <= rounds; r++)
            if ((peer[p], job, r) in value && (peer[1], job, r) in value)
                each[peer[p], job, r] = value[peer[p], job, r] / value[peer[1], job, r]
        ratio = middle(each, peer[p], job)
        v = sprintf("%.2f", ratio)
        if (ratio < 0.0995) v = digits(ratio)
        if (p > 1 && (more ? ratio >= 1.005 : ratio < 0.995)) {
            if (peer[p] !~ /^sluice/) better = better (better ? ", " : "") peer[p] " (" v ")"
            v = "**" v "**"
        }
        printf "%s %s | %s |\n", text, ratio < 0 ? "" : v, digits(middle(cpu, peer[p], job))
    }
    if (better) printf "\n%s than sluice ring: %s.\n", more ? "Faster" : "Quicker", better
    else printf "\nNone of the others is %s than sluice ring.\n", more ? "faster" : "quicker"
}

END {
    printf "\n## Medians\n\n| | 8 B | 64 B | 1 KiB | 64 KiB | 1 MiB | round trip, both sides sleeping | both spinning |\n|---|---|---|---|---|---|---|---|\n"
    printf "| | M msg/s | M msg/s | M msg/s | GB/s | GB/s | us | us |\n"
    for (p = 1; p <= many; p++) {
        printf "| %s |", peer[p]
        for (j = 1; j <= jobs; j++) {
            v = middle(value, peer[p], job[j])
            printf " %s |", v < 0 ? "-" : digits(v)
        }
        print ""
    }
    split("8 bytes|64 bytes|1 KiB|64 KiB|1 MiB", title, "|")
    for (j = 1; j <= 5; j++) {
        printf "\n## %s\n\n", title[j]
        table(job[j], j <= 3 ? "M msg/s" : "GB/s", 1)
    }
    printf "\n## Round trip\n\n8 bytes to the other side and back, one at a time. With both sides sleeping in each wait:\n\n"
    table(job[6], "us, sleeping", 0)
    printf "\nWith both sides spinning:\n\n"
    table(job[7], "us, spinning", 0)
}
