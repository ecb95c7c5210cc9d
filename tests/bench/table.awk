# SPDX-License-Identifier: BSD-2-Clause
# The results of compare.sh, lines of NAME=VALUE, as Markdown: first how vstamp stands to each of
# the others, then what was measured.  A ratio is taken inside a round, of two runs close to each
# other; cells are medians, with (lowest-highest) of all rounds.  Works are named as in compare.sh:
# clients with a put each (64), with many (64x16), with a get each (64:gets).

function number(value) {
    return sprintf(value >= 100 ? "%.0f" : value >= 10 ? "%.1f" : "%.2f", value)
}

function quotient(a, b) { return a > 0 && b > 0 ? number(a / b) : "-" }

function thousands(value) {
    return value >= 9995 ? sprintf(value >= 99950 ? "%.0fk" : "%.1fk", value / 1000) \
        : sprintf("%.0f", value)
}

function sort(values, n,    i, j, v) {
    for (i = 2; i <= n; i++) {
        v = values[i]
        for (j = i - 1; j >= 1 && values[j] > v; j--) values[j + 1] = values[j]
        values[j + 1] = v
    }
}

# Of values[1..n]; leaves them in order.
function median(values, n) {
    sort(values, n)
    return n % 2 ? values[(n + 1) / 2] : (values[n / 2] + values[n / 2 + 1]) / 2
}

# "1.9 (1.7-2.2)", of vstamp or its lease divided by another in the same round.
function ratio(mode, ours, store, work, what, with_range,    round, n, values, a, b, middle) {
    for (round = 1; round <= n_rounds; round++) {
        a = run[mode, ours, work, round, what]
        b = run[mode, store, work, round, what]
        if (a > 0 && b > 0) values[++n] = a / b
    }
    if (n == 0) return "-"
    middle = number(median(values, n))
    return with_range ? middle " (" number(values[1]) "-" number(values[n]) ")" : middle
}

function absolute(mode, store, work, what,    round, n, values, middle) {
    for (round = 1; round <= n_rounds; round++)
        if ((mode, store, work, round, what) in run)
            values[++n] = run[mode, store, work, round, what] + 0
    if (n == 0) return "-"
    middle = median(values, n)
    if (what ~ /cpu/) return number(middle)
    if (what != "rate") return thousands(middle)
    return thousands(middle) " (" thousands(values[1]) "-" thousands(values[n]) ")"
}

# The median; sets gap_least and gap_most.  0: there was none.
function failover(mode, store,    i, n, values, middle) {
    for (i = 1; i <= n_kills[mode, store]; i++) values[++n] = gap[mode, store, i] + 0
    if (n == 0) return 0
    middle = median(values, n)
    gap_least = values[1]
    gap_most = values[n]
    return middle
}

{
    split("", field)
    for (i = 1; i <= NF; i++)
        field[substr($i, 1, index($i, "=") - 1)] = substr($i, index($i, "=") + 1)
    mode = field["mode"]
    store = field["store"]
    if (store != "" && !((mode, store) in seen)) {
        seen[mode, store] = 1
        if (!(mode in n_stores)) modes[++n_modes] = mode
        stores[mode, ++n_stores[mode]] = store
    }
}

store == "vstamp" { vstamp = 1 }

"version" in field {
    gsub(/_/, " ", field["version"])
    version[mode, store] = field["version"]
}

"memory_kib" in field { memory[mode, store] = field["memory_kib"] / 1024 }

"bare_write_us" in field { bare[++n_bare] = field["bare_write_us"] + 0 }

"kill" in field { gap[mode, store, ++n_kills[mode, store]] = field["gap_ms"] }

"round" in field {
    work = field["work"]
    round = field["round"] + 0
    if (round > n_rounds) n_rounds = round
    if (!(work in known)) {
        known[work] = 1
        works[++n_works] = work
    }
    did[mode, store, work] = 1
    run[mode, store, work, round, "rate"] = field["rate"]
    run[mode, store, work, round, "p50"] = field["p50_us"]
    run[mode, store, work, round, "p99"] = field["p99_us"]
    run[mode, store, work, round, "cpu"] = field["cpu_s"] * 100000 / field["done"]
    run[mode, store, work, round, "client cpu"] = field["client_cpu_s"] * 100000 / field["done"]
}

# Is it clients with one put each?
function is_plain(work) { return work ~ /^[0-9]+$/ }

function title(work) {
    sub(/x/, " x ", work)
    sub(/:gets/, "", work)
    return work
}

function head(columns) {
    print "| " columns " |"
    gsub(/[^|]+/, "---", columns)
    print "|" columns "|"
}

function print_ratios(    m, s, w, mode, store, columns) {
    columns = "vstamp /"
    for (w = 1; w <= n_works; w++)
        if (is_plain(works[w]))
            columns = columns " | puts/s, " works[w] (works[w] == 1 ? " client" : "")
    head(columns " | p50, " busy " | p99, " busy " | CPU, " busy " | memory | fail-over")
    for (m = 1; m <= n_modes; m++) {
        mode = modes[m]
        for (s = 1; s <= n_stores[mode]; s++) {
            store = stores[mode, s]
            if (store == "vstamp" || !((mode, store, busy) in did)) continue
            printf "| %s: %s %s |", mode, store, version[mode, store]
            for (w = 1; w <= n_works; w++)
                if (is_plain(works[w]))
                    printf " %s |", ratio(mode, "vstamp", store, works[w], "rate", 1)
            printf " %s | %s | %s | %s | %s |\n", ratio(mode, "vstamp", store, busy, "p50", 0),
                ratio(mode, "vstamp", store, busy, "p99", 0),
                ratio(mode, "vstamp", store, busy, "cpu", 0),
                quotient(memory[mode, "vstamp"], memory[mode, store]),
                quotient(failover(mode, "vstamp"), failover(mode, store))
        }
    }
}

# Many puts at once over each connection, and gets; those by a lease are of a group of their own.
function print_more_ratios(    m, s, w, mode, store, columns, row, n) {
    columns = "vstamp /"
    for (w = 1; w <= n_works; w++) {
        if (is_plain(works[w])) continue
        if (works[w] ~ /:gets/)
            columns = columns " | gets/s, " title(works[w]) " | by a lease, " title(works[w])
        else
            columns = columns " | puts/s, " title(works[w])
        n++
    }
    if (n == 0) return
    head(columns)
    for (m = 1; m <= n_modes; m++) {
        mode = modes[m]
        for (s = 1; s <= n_stores[mode]; s++) {
            store = stores[mode, s]
            if (store == "vstamp" || store == "lease") continue
            row = ""
            for (w = 1; w <= n_works; w++) {
                if (is_plain(works[w])) continue
                row = row " " ratio(mode, "vstamp", store, works[w], "rate", 1) " |"
                if (works[w] ~ /:gets/)
                    row = row " " ratio(mode, "lease", store, works[w], "rate", 1) " |"
            }
            if (row ~ /[0-9]/) printf "| %s: %s %s |%s\n", mode, store, version[mode, store], row
        }
    }
    print ""
}

function print_absolutes(    m, s, w, mode, store, middle, first) {
    head("store | clients | puts/s | p50, us | p99, us | CPU s / 100,000 puts | of the client |" \
        " MiB a server | fail-over, ms")
    for (m = 1; m <= n_modes; m++) {
        mode = modes[m]
        for (s = 1; s <= n_stores[mode]; s++) {
            store = stores[mode, s]
            first = 1
            for (w = 1; w <= n_works; w++) {
                if (!((mode, store, works[w]) in did)) continue
                printf "| %s: %s | %s | %s | %s | %s | %s | %s |", mode, store,
                    title(works[w]) (works[w] ~ /:gets/ ? ", gets" : ""),
                    absolute(mode, store, works[w], "rate"),
                    absolute(mode, store, works[w], "p50"),
                    absolute(mode, store, works[w], "p99"),
                    absolute(mode, store, works[w], "cpu"),
                    absolute(mode, store, works[w], "client cpu")
                middle = failover(mode, store)
                if (!first) printf " | |\n"
                else if (middle == 0) printf " %s | - |\n", number(memory[mode, store])
                else printf " %s | %.0f (%.0f-%.0f) |\n", number(memory[mode, store]), middle,
                    gap_least, gap_most
                first = 0
            }
        }
    }
}

END {
    # latency and CPU are compared where batches are usual, yet queues short
    for (w = 1; w <= n_works; w++)
        if (is_plain(works[w])) busy = works[w]
    if (64 in known) busy = 64
    printf "%s. Medians with (lowest-highest) of %d runs of %s s each, in turn", machine, n_rounds,
        seconds
    if (n_bare > 0) {
        middle = median(bare, n_bare)
        printf "; 4 KiB to stable storage, and nothing else: %.0f us (%.0f-%.0f)", middle, bare[1],
            bare[n_bare]
    }
    print ".\n"
    if (vstamp) {
        if (busy) print_ratios()
        if (busy) print ""
        print_more_ratios()
    }
    print_absolutes()
}
