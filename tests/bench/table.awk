# SPDX-License-Identifier: BSD-2-Clause
# The results of compare.sh, lines of NAME=VALUE, as Markdown: first how vstamp stands to each of
# the others, then what was measured.  A ratio is taken inside a round, of two runs close to each
# other; cells are medians, with (lowest-highest) of all rounds.

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

# "1.9 (1.7-2.2)", of vstamp divided by another in the same round.
function ratio(mode, store, n_clients, what, with_range,    round, n, values, a, b, middle) {
    for (round = 1; round <= n_rounds; round++) {
        a = run[mode, "vstamp", n_clients, round, what]
        b = run[mode, store, n_clients, round, what]
        if (a > 0 && b > 0) values[++n] = a / b
    }
    if (n == 0) return "-"
    middle = number(median(values, n))
    return with_range ? middle " (" number(values[1]) "-" number(values[n]) ")" : middle
}

function absolute(mode, store, n_clients, what,    round, n, values, middle) {
    for (round = 1; round <= n_rounds; round++)
        if ((mode, store, n_clients, round, what) in run)
            values[++n] = run[mode, store, n_clients, round, what] + 0
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
    n = field["clients"]
    round = field["round"] + 0
    if (round > n_rounds) n_rounds = round
    if (!(n in known)) {
        known[n] = 1
        clients[++n_counts] = n
    }
    run[mode, store, n, round, "rate"] = field["rate"]
    run[mode, store, n, round, "p50"] = field["p50_us"]
    run[mode, store, n, round, "p99"] = field["p99_us"]
    run[mode, store, n, round, "cpu"] = field["cpu_s"] * 100000 / field["puts"]
    run[mode, store, n, round, "client cpu"] = field["client_cpu_s"] * 100000 / field["puts"]
}

function head(columns) {
    print "| " columns " |"
    gsub(/[^|]+/, "---", columns)
    print "|" columns "|"
}

function print_ratios(    m, s, c, mode, store, columns) {
    columns = "vstamp /"
    for (c = 1; c <= n_counts; c++)
        columns = columns " | puts/s, " clients[c] (clients[c] == 1 ? " client" : "")
    head(columns " | p50, " busy " | p99, " busy " | CPU, " busy " | memory | fail-over")
    for (m = 1; m <= n_modes; m++) {
        mode = modes[m]
        for (s = 1; s <= n_stores[mode]; s++) {
            store = stores[mode, s]
            if (store == "vstamp") continue
            printf "| %s: %s %s |", mode, store, version[mode, store]
            for (c = 1; c <= n_counts; c++)
                printf " %s |", ratio(mode, store, clients[c], "rate", 1)
            printf " %s | %s | %s | %s | %s |\n", ratio(mode, store, busy, "p50", 0),
                ratio(mode, store, busy, "p99", 0), ratio(mode, store, busy, "cpu", 0),
                quotient(memory[mode, "vstamp"], memory[mode, store]),
                quotient(failover(mode, "vstamp"), failover(mode, store))
        }
    }
}

function print_absolutes(    m, s, c, mode, store, middle) {
    head("store | clients | puts/s | p50, us | p99, us | CPU s / 100,000 puts | of the client |" \
        " MiB a server | fail-over, ms")
    for (m = 1; m <= n_modes; m++) {
        mode = modes[m]
        for (s = 1; s <= n_stores[mode]; s++) {
            store = stores[mode, s]
            for (c = 1; c <= n_counts; c++) {
                printf "| %s: %s | %s | %s | %s | %s | %s | %s |", mode, store, clients[c],
                    absolute(mode, store, clients[c], "rate"),
                    absolute(mode, store, clients[c], "p50"),
                    absolute(mode, store, clients[c], "p99"),
                    absolute(mode, store, clients[c], "cpu"),
                    absolute(mode, store, clients[c], "client cpu")
                middle = failover(mode, store)
                if (c > 1) printf " | |\n"
                else if (middle == 0) printf " %s | - |\n", number(memory[mode, store])
                else printf " %s | %.0f (%.0f-%.0f) |\n", number(memory[mode, store]), middle,
                    gap_least, gap_most
            }
        }
    }
}

END {
    # latency and CPU are compared where batches are usual, yet queues short
    busy = 64 in known ? 64 : clients[n_counts]
    printf "%s. Medians with (lowest-highest) of %d runs of %s s each, in turn", machine, n_rounds,
        seconds
    if (n_bare > 0) {
        middle = median(bare, n_bare)
        printf "; 4 KiB to stable storage, and nothing else: %.0f us (%.0f-%.0f)", middle, bare[1],
            bare[n_bare]
    }
    print ".\n"
    if (vstamp) {
        print_ratios()
        print ""
    }
    print_absolutes()
}
