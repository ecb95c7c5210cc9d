/* SPDX-License-Identifier: BSD-2-Clause */
/* Things in a row, by a link in each; one of them leaves at no more cost than the last one comes.
 * The links are in a ring with the row's head, so none is the first or the last to them.  A head,
 * or a link, of zeros is that of an empty row, or in none. */
#ifndef BASE_CHAIN_H
#define BASE_CHAIN_H

#include <stdbool.h>
#include <stddef.h>

struct chain {
    struct chain *before, *after;
};

/* What the link `at` is the `member` of. */
#define CHAIN_OWNER(at, type, member) ((type *)(void *)((char *)(at) - offsetof(type, member)))

static inline bool chain_has(const struct chain *link)
{
    return link->after != NULL;
}

/* As the last. */
static inline void chain_add(struct chain *head, struct chain *link)
{
    if (head->after == NULL) head->before = head->after = head;
    *link = (struct chain){.before = head->before, .after = head};
    head->before->after = link;
    head->before = link;
}

/* From whichever it is in, if any. */
static inline void chain_remove(struct chain *link)
{
    if (!chain_has(link)) return;
    link->before->after = link->after;
    link->after->before = link->before;
    *link = (struct chain){0};
}

/* NULL: `link` is the last.  Behind the head is the first. */
static inline struct chain *chain_next(const struct chain *head, const struct chain *link)
{
    return link->after != head ? link->after : NULL;
}

static inline struct chain *chain_first(const struct chain *head)
{
    return chain_next(head, head);
}

#endif
