# page.awk, after figures.awk: the tables of bench.md.
BEGIN {
    name["throughput 8"] = "8 B"
    name["throughput 64"] = "64 B"
    name["throughput 1024"] = "1 KiB"
    name["throughput 65536"] = "64 KiB"
    name["throughput 1048576"] = "1 MiB"
    name["roundtrip 8"] = "round trip, both sides sleeping"
    name["roundtrip 8 spin"] = "round trip, both spinning"
    name["throughput 4"] = "8 slots of 4 B"
    name["paced 8 1000"] = "paced, 1,000 messages per second"
    name["paced 8 100000"] = "paced, 100,000 messages per second"
    boost = "boost::lockfree::spsc_queue"
    futex = "futex words, in C"
}

function paced(job) { return job ~ /^paced/ }
function overview(job) { return !paced(job) && job != "throughput 4" } # is in the tables of several jobs
function roundtrip(job) { return job ~ /^roundtrip/ }
function bytes(job,    part) { return split(job, part, " ") ? part[2] : 0 }
function unit(job) { return roundtrip(job) ? "us" : bytes(job) > 1024 ? "GB/s" : "M msg/s" }

# head prints the first lines of a table: cells has all but the first cell.
function head(cells) {
    print "| |" cells
    gsub(/[^|]+/, "---", cells)
    print "|---|" cells
}

# floor is what limits a peer in a job on this machine, and share the part of it that the
# peer reaches.
function floor(peer, job) { return job ~ /spin/ ? "line of " peer : roundtrip(job) ? futex : "memcpy" }
function share(peer, job) {
    if (roundtrip(job)) return ratio(value, floor(peer, job), peer, job)
    return ratio(value, peer, "memcpy", job) * (bytes(job) > 1024 ? 1 : bytes(job) / 1e3)
}

function medians(    p, j, v, titles, units, cells) {
    for (j = 1; j <= all; j++) {
        if (!overview(job[j])) continue
        titles = titles " " name[job[j]] " |"
        units = units " " unit(job[j]) " |"
    }
    print "\n## Medians\n"
    head(titles)
    print "| |" units
    for (p = 1; p <= many; p++) {
        cells = ""
        for (j = 1; j <= all; j++) {
            if (!overview(job[j])) continue
            v = middle(value, peer[p], job[j])
            cells = cells " " (v < 0 ? "-" : digits(v)) " |"
        }
        if (cells ~ /[0-9]/) print "| " peer[p] " |" cells
    }
}

function floors(    p, j, v, titles, limits, refills, cells) {
    for (j = 1; j <= all; j++) {
        if (!overview(job[j])) continue
        titles = titles " " name[job[j]] " |"
        v = middle(value, floor(peer[1], job[j]), job[j])
        limits = limits " " (v < 0 ? "-" : digits(v) (roundtrip(job[j]) ? " us" : " GB/s")) " |"
        v = roundtrip(job[j]) ? -1 : middle(value, "refill", job[j])
        refills = refills " " (v < 0 ? "-" : digits(v) " GB/s") " |"
    }
    print "\n## Share of what the machine can do\n"
    print "The limit of throughput is a `memcpy` of 256 KiB out of the cache of the other core, measured before each column of"
    print "each round. The side that writes has a limit too: it has to fetch a line that the other core has read. Both hold for"
    print "data in the caches of the two cores. A ring larger than these is in a cache that they share, which can be faster, so"
    print "more than 100 % is possible. The limit of a round trip is two futex words if both sides sleep, and a cache line that"
    print "goes to the other core and back if both spin.\n"
    head(titles)
    print "| limit |" limits
    print "| writing what the other core has read |" refills
    for (p = 1; p <= many; p++) {
        if (peer[p] !~ /^sluice/) continue
        cells = ""
        for (j = 1; j <= all; j++) {
            if (!overview(job[j])) continue
            v = 100 * share(peer[p], job[j])
            cells = cells " " (v < 0 ? "-" : sprintf(v < 9.95 ? "%.1f %%" : "%.0f %%", v)) " |"
        }
        if (cells ~ /[0-9]/) print "| " peer[p] " |" cells
    }
}

# beside compares the rings with spsc_queue, with the processors near and far.
function beside(    p, j, w, v, where, titles, column, columns, part, cells) {
    split("near far", where, " ")
    for (j = 1; j <= all; j++)
        for (w = 1; w <= 2; w++) {
            ratio(value, boost, boost, job[j], where[w])
            if (!count) continue
            titles = titles " " name[job[j]] ", " where[w] " |"
            column[++columns] = job[j] "|" where[w]
        }
    if (!columns) return
    print "\n## Times " boost "\n"
    print "The distance of the cores decides more than anything else, so measurements are told apart: *near* is when a cache"
    print "line goes to the other core and back in less than 150 ns, *far* is the rest. A ratio is the median of the rounds in"
    print "which it was the same for both; their number is in parentheses. Throughput: more is better; round trip: less.\n"
    head(titles)
    for (p = 1; p <= many; p++) {
        if (peer[p] !~ /^sluice .*ring/) continue
        cells = ""
        for (j = 1; j <= columns; j++) {
            split(column[j], part, "|")
            v = ratio(value, peer[p], boost, part[1], part[2])
            cells = cells " " times(v) (count ? " (" count ")" : "") " |"
        }
        if (cells ~ /[0-9]/) print "| " peer[p] " |" cells
    }
}

# responses prints the results of a paced job.
function responses(job,    p, v) {
    head(" median, us | 99th percentile, us | CPU us per message | CPU, times " peer[1] " |")
    for (p = 1; p <= many; p++) {
        v = middle(value, peer[p], job)
        if (v < 0) continue
        printf "| %s | %s | %s | %s | %s |\n", peer[p], digits(v), digits(middle(late, peer[p], job)), digits(middle(cpu, peer[p], job)),
            times(ratio(cpu, peer[p], peer[1], job))
    }
}

# table prints the results of another job. The first peer that has any is what the others are
# compared with.
function table(job,    p, v, base, cells, better, more) {
    more = !roundtrip(job)
    for (p = 1; p <= many; p++) {
        v = middle(value, peer[p], job)
        if (v < 0) continue
        if (!base) {
            base = peer[p]
            head(" " unit(job) " | lowest to highest | times " base " | CPU s per million |")
        }
        cells = " " digits(v) " | " digits(low) " to " digits(high) " | "
        v = ratio(value, peer[p], base, job)
        if (peer[p] != base && (more ? v >= 1.005 : v < 0.995)) {
            if (peer[p] !~ /^sluice/) better = better (better ? ", " : "") peer[p] " (" times(v) ")"
            cells = cells "**" times(v) "**"
        } else
            cells = cells times(v)
        print "| " peer[p] " |" cells " | " digits(middle(cpu, peer[p], job)) " |"
    }
    if (better) printf "\n%s than %s: %s.\n", more ? "Faster" : "Quicker", base, better
    else printf "\nNone of the others is %s than %s.\n", more ? "faster" : "quicker", base
}

END {
    medians()
    floors()
    beside()
    for (j = 1; j <= all; j++) {
        print "\n## " toupper(substr(name[job[j]], 1, 1)) substr(name[job[j]], 2) "\n"
        if (roundtrip(job[j])) print "8 bytes to the other side and back, one at a time.\n"
        if (job[j] == "throughput 4")
            print "A ring with 8 slots for an Int32 each, as in the JavaScript program that sluice is modelled on. Both sides may sleep.\n"
        if (paced(job[j])) {
            print "A sends 8 bytes when they are due and sleeps in between; B sleeps until they come. The response is the time from when"
            print "a message was due until it was read, so it includes the timer that wakes A.\n"
            responses(job[j])
        } else
            table(job[j])
    }
}
