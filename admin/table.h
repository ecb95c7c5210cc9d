/* SPDX-License-Identifier: BSD-2-Clause */
/* A table for a terminal: columns as wide as their widest cell, texts to the left, numbers to the
 * right.  What is not printable is shown as '?': cells hold what came over the network. */
#ifndef ADMIN_TABLE_H
#define ADMIN_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/limits.h"

#define TABLE_COLUMNS_MAX 16u
#define TABLE_ROWS_MAX    (2u * REPLICAS_MAX + 1u) /* the first is the heading */
#define TABLE_CELL_SIZE   (ADDRESS_BYTES_MAX + 1u)

struct table {
    size_t n_columns;
    size_t n_rows;
    size_t n_cells; /* in the last row */
    bool to_the_right[TABLE_COLUMNS_MAX];
    bool marked[TABLE_ROWS_MAX]; /* shown in red where colour may be */
    char cells[TABLE_ROWS_MAX][TABLE_COLUMNS_MAX][TABLE_CELL_SIZE];
};

/* Columns are added to an empty ({0}) table first, each with its heading. */
void table_column(struct table *table, const char *heading, bool to_the_right);
void table_row(struct table *table, bool marked);
void table_cell(struct table *table, const char *format, ...) __attribute__((format(printf, 2, 3)));
void table_print(const struct table *table, FILE *stream, bool colour);

#endif
