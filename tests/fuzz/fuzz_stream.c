/* SPDX-License-Identifier: BSD-2-Clause */
/* A stream of frames, damaged and cut into pieces.  The input says which messages it holds, which
 * bytes of it are changed (and of which headers the checksum is made right again, so that their
 * lies about sizes are heard), and in which pieces it comes.  Whatever the pieces, the same frames
 * come out; all before the first damage come out whole; and nobody waits for more bytes than a
 * frame may have. */
#include <string.h>

#include "base/assert.h"
#include "base/checksum.h"
#include "base/endian.h"
#include "fuzz/fuzz.h"
#include "fuzz/wire_random.h"

#define STREAM_MAX 32768u
#define FRAME_MAX 4096u /* what the receiver takes */
#define FRAMES_MAX 16u
#define CHECKED 8u /* a header's checksum covers what follows it */

const char fuzz_aim[] = "a frame comes out whole";
unsigned long fuzz_hits;
const unsigned fuzz_copies = 300;

struct stream {
    uint8_t bytes[STREAM_MAX];
    size_t size;
    size_t ends[FRAMES_MAX]; /* of the frames as they were written */
    size_t n;
    size_t damaged; /* the first byte that is not as it was written */
};

static void add_frames(struct stream *s, struct reader *in)
{
    static uint8_t content[2048];
    size_t n_shapes;
    const struct wire_shape *const *shapes = wire_messages(&n_shapes);
    for (uint8_t n = read_u8(in) % FRAMES_MAX; n > 0; n--) {
        struct wire_header header = {.view = n, .sender = n};
        struct wire_random random;
        union wire_random_record record;
        const struct wire_shape *shape = shapes[read_u8(in) % n_shapes];
        wire_random_init(&random, read_u8(in), content, sizeof content);
        wire_random_fill(&random, shape, &record);
        size_t size = wire_frame_encode(&header, shape, &record, s->bytes + s->size,
                                        STREAM_MAX - s->size);
        if (size == 0 || size > FRAME_MAX) return;
        s->size += size;
        s->ends[s->n++] = s->size;
    }
}

static void damage(struct stream *s, struct reader *in)
{
    s->damaged = s->size;
    for (uint8_t n = read_u8(in) % 4; n > 0 && s->size > 0; n--) {
        uint8_t how = read_u8(in), flip = read_u8(in);
        size_t frame = how % s->n, start = frame > 0 ? s->ends[frame - 1] : 0;
        size_t at = start + read_u16(in) % (how < 128 ? WIRE_HEADER_SIZE : s->ends[frame] - start);
        if (flip == 0) continue;
        s->bytes[at] ^= flip;
        if (at < s->damaged) s->damaged = at;
        if (how % 32 < 16) continue;
        store_u64(s->bytes + start,
                  checksum64(s->bytes + start + CHECKED, WIRE_HEADER_SIZE - CHECKED));
        if (start < s->damaged) s->damaged = start;
    }
}

/* What a receiver makes of it, as connections do: for each frame its end, then why it stops. */
struct outcome {
    size_t ends[STREAM_MAX / WIRE_HEADER_SIZE];
    int results[STREAM_MAX / WIRE_HEADER_SIZE];
    size_t n;
    int error;
};

static void receive(const struct stream *s, size_t have, struct outcome *o)
{
    size_t start = o->n > 0 ? o->ends[o->n - 1] : 0;
    while (o->error == 0) {
        struct bytes rest = {s->bytes + start, have - start};
        struct wire_message m;
        size_t size = 0;
        int rv = wire_frame_size(rest, FRAME_MAX, &size);
        if (rv == VSTAMP_E_TRUNCATED) {
            assert(rest.size < WIRE_HEADER_SIZE);
            return;
        }
        o->error = rv;
        if (rv != 0) return;
        assert(size >= WIRE_HEADER_SIZE && size <= FRAME_MAX);
        if (rest.size < size) return;
        rest.size = size;
        start += size;
        o->ends[o->n] = start;
        o->results[o->n++] = wire_frame_decode(rest, &m);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct stream s;
    static struct outcome whole, pieces;
    struct reader in = reader_over(data, size);
    s.size = s.n = 0;
    whole.n = pieces.n = 0;
    whole.error = pieces.error = 0;
    add_frames(&s, &in);
    damage(&s, &in);

    receive(&s, s.size, &whole);
    if (whole.n > 0 && whole.results[0] == 0) fuzz_hits++;
    for (size_t have = 0; have < s.size;) {
        have += in.ok && in.left > 0 ? read_u8(&in) : s.size;
        if (have > s.size) have = s.size;
        receive(&s, have, &pieces);
        if (pieces.error != 0) break;
    }
    assert(pieces.n == whole.n && pieces.error == whole.error);
    for (size_t i = 0; i < whole.n; i++) {
        assert(pieces.ends[i] == whole.ends[i] && pieces.results[i] == whole.results[i]);
    }
    for (size_t i = 0; i < s.n && s.ends[i] <= s.damaged; i++) {
        assert(i < whole.n && whole.ends[i] == s.ends[i] && whole.results[i] == 0);
    }
    return 0;
}
