# terminal.awk, after figures.awk: the medians so far, for the terminal.
END {
    printf "%-28s%7s%7s%7s%7s%7s%8s%8s\n", "", "8 B", "64 B", "1 KiB", "64 KiB", "1 MiB", "sleep", "spin"
    printf "%-28s%7s%7s%7s%7s%7s%8s%8s\n", "medians", "M/s", "M/s", "M/s", "GB/s", "GB/s", "us", "us"
    columns = split("throughput 8|throughput 64|throughput 1024|throughput 65536|throughput 1048576|roundtrip 8|roundtrip 8 spin", column, "|")
    for (p = 1; p <= many; p++) {
        printf "%-28s", peer[p]
        for (j = 1; j <= columns; j++) {
            v = middle(value, peer[p], column[j])
            printf j <= 5 ? "%7s" : "%8s", v < 0 ? "-" : digits(v)
        }
        print ""
    }
}
