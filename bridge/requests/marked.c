#include "requests/marked.h"

#include <stdlib.h>

#include "base/histograms.h"
#include "base/loop.h"
#include "wire/json_text.h"

struct marked {
    size_t len;
    uint64_t ms[]; /* Unix times of their ids */
};

static void add(struct marked *marked, struct notify_str text)
{
    struct notify_id id;

    if (notify_id_parse(text, 0, &id))
        marked->ms[marked->len++] = id.ms;
}

struct marked *marked_new(struct notify_str id, const json_t *ids)
{
    size_t len = id.len > 0 ? 1 : json_array_size(ids);
    struct marked *marked = len == 0 ? NULL : malloc(sizeof(*marked) + len * sizeof(uint64_t));

    if (marked == NULL)
        return NULL;
    marked->len = 0;
    if (id.len > 0)
        add(marked, id);
    for (size_t i = 0; id.len == 0 && i < len; i++)
        add(marked, json_text_of(json_array_get(ids, i)));
    return marked;
}

static void count(enum histogram histogram, uint64_t ms, const struct loop *loop)
{
    uint64_t now = loop_wall_ms(loop);

    histogram_add(histogram, now > ms ? (now - ms) * 1000 : 0, 1);
}

void marked_read(const struct marked *marked, int64_t changed, const struct loop *loop)
{
    if (marked == NULL || changed < 0 || (size_t)changed != marked->len)
        return;
    for (size_t i = 0; i < marked->len; i++)
        count(HISTOGRAM_READ, marked->ms[i], loop);
}

void marked_seen(const struct marked *marked, int64_t changed, const struct loop *loop)
{
    if (marked != NULL && marked->len > 0 && changed > 0)
        count(HISTOGRAM_SEEN, marked->ms[marked->len - 1], loop);
}

void marked_one_read(struct notify_str id, int64_t changed, const struct loop *loop)
{
    struct notify_id read;

    if (changed > 0 && notify_id_parse(id, 0, &read))
        count(HISTOGRAM_READ, read.ms, loop);
}
