/* SPDX-License-Identifier: BSD-2-Clause */
#include "maelstrom/lines.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/memory.h"

#define READ_BYTES 65536u

static void make_room(char **buffer, size_t *capacity, size_t need)
{
    if (need <= *capacity) return;
    *capacity = need < READ_BYTES ? READ_BYTES : 2 * need;
    *buffer = memory_resize(*buffer, *capacity);
}

/* Keep no more than LINE_BYTES_MAX of a line whose end has not come. */
static void cut(struct lines_in *in)
{
    char *end = memchr(in->buffer, '\n', in->size);
    if (in->cutting && end == NULL) {
        in->size = 0;
    } else if (in->cutting) {
        size_t rest = in->size - (size_t)(end - in->buffer) - 1;
        memmove(in->buffer, end + 1, rest);
        in->size = rest;
        in->cutting = false;
    } else if (end == NULL && in->size > LINE_BYTES_MAX) {
        in->buffer[LINE_BYTES_MAX] = '\n';
        in->size = LINE_BYTES_MAX + 1;
        in->cutting = true;
    }
}

void lines_read(struct lines_in *in)
{
    make_room(&in->buffer, &in->capacity, in->size + READ_BYTES);
    memmove(in->buffer, in->buffer + in->used, in->size - in->used);
    in->size -= in->used;
    in->used = 0;
    ssize_t n = read(in->fd, in->buffer + in->size, in->capacity - in->size);
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) return;
    if (n <= 0) {
        in->ended = true;
        return;
    }
    in->size += (size_t)n;
    cut(in);
}

const char *lines_next(struct lines_in *in)
{
    if (in->used == in->size) return NULL;
    char *line = in->buffer + in->used;
    char *end = memchr(line, '\n', in->size - in->used);
    if (end == NULL) return NULL;
    *end = '\0';
    in->used = (size_t)(end - in->buffer) + 1;
    return line;
}

void lines_put(struct lines_out *out, const char *line)
{
    size_t size = strlen(line);
    make_room(&out->buffer, &out->capacity, out->size + size + 1);
    memcpy(out->buffer + out->size, line, size);
    out->buffer[out->size + size] = '\n';
    out->size += size + 1;
}

void lines_put_message(struct lines_out *out, const char *src, const char *dest, json_t *body)
{
    json_t *message = json_pack("{s:s, s:s, s:o}", "src", src, "dest", dest, "body", body);
    char *line = json_dumps(message, LINES_ENCODE);
    if (line == NULL) abort(); /* no memory: all texts in it are UTF-8 */
    lines_put(out, line);
    free(line);
    json_decref(message);
}

int lines_write(struct lines_out *out)
{
    while (out->sent < out->size) {
        ssize_t n = write(out->fd, out->buffer + out->sent, out->size - out->sent);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 && errno != EAGAIN) return errno;
        if (n < 0) break;
        out->sent += (size_t)n;
    }
    if (out->sent > 0) memmove(out->buffer, out->buffer + out->sent, out->size - out->sent);
    out->size -= out->sent;
    out->sent = 0;
    return 0;
}

size_t lines_waiting(const struct lines_out *out)
{
    return out->size - out->sent;
}

void lines_in_release(struct lines_in *in)
{
    free(in->buffer);
}

void lines_out_release(struct lines_out *out)
{
    free(out->buffer);
}
