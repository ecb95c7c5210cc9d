/* SPDX-License-Identifier: BSD-2-Clause */
#include "admin/table.h"

#include <stdarg.h>
#include <string.h>

#include "base/assert.h"
#include "program/escape.h"

#define BETWEEN 2 /* blanks from column to column */

void table_column(struct table *table, const char *heading, bool to_the_right)
{
    assert(table->n_columns < TABLE_COLUMNS_MAX && table->n_rows <= 1);
    table->n_rows = 1;
    table->to_the_right[table->n_columns] = to_the_right;
    snprintf(table->cells[0][table->n_columns], TABLE_CELL_SIZE, "%s", heading);
    table->n_columns++;
    table->n_cells = table->n_columns;
}

void table_row(struct table *table, bool marked)
{
    assert(table->n_rows < TABLE_ROWS_MAX && table->n_cells == table->n_columns);
    table->marked[table->n_rows++] = marked;
    table->n_cells = 0;
}

void table_cell(struct table *table, const char *format, ...)
{
    assert(table->n_rows > 1 && table->n_cells < table->n_columns);
    char *cell = table->cells[table->n_rows - 1][table->n_cells++];
    va_list args;
    va_start(args, format);
    vsnprintf(cell, TABLE_CELL_SIZE, format, args);
    va_end(args);
    escape_plain(cell);
}

static int width_of(const struct table *table, size_t column)
{
    size_t width = 0;
    for (size_t row = 0; row < table->n_rows; row++) {
        size_t size = strlen(table->cells[row][column]);
        if (size > width) width = size;
    }
    return (int)width;
}

/* As printf takes it: negative is to the left, where the last column needs no blanks behind it. */
static int padding_of(const struct table *table, size_t column)
{
    if (table->to_the_right[column]) return width_of(table, column);
    return column + 1 == table->n_columns ? 0 : -width_of(table, column);
}

void table_print(const struct table *table, FILE *stream, bool colour)
{
    int paddings[TABLE_COLUMNS_MAX];
    for (size_t column = 0; column < table->n_columns; column++)
        paddings[column] = padding_of(table, column);
    for (size_t row = 0; row < table->n_rows; row++) {
        bool coloured = colour && table->marked[row];
        if (coloured) fputs("\033[31m", stream);
        for (size_t column = 0; column < table->n_columns; column++)
            fprintf(stream, "%*s%*s", column == 0 ? 0 : BETWEEN, "", paddings[column],
                    table->cells[row][column]);
        if (coloured) fputs("\033[0m", stream);
        fputc('\n', stream);
    }
}
