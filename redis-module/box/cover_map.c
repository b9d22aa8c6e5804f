/* cover_map -- see cover_map.h. */
#include "box/cover_map.h"

#include "box/box_layout.h"
#include "box/category_table.h"

enum { FEW = 4, PLACES = 2 * CURSOR_COVERS_BOUND };

static void put(struct cover_map *map, uint32_t slot, struct notify_id upto)
{
    uint32_t i = map->count++;

    for (; i > 0 && map->list[i - 1].slot > slot; i--)
        map->list[i] = map->list[i - 1];
    map->list[i].slot = slot;
    map->list[i].upto = upto;
    map->max = notify_id_later(map->max, upto);
}

/* One after the other, each looked for in the log. */
static void map_few(struct cover_map *map, const struct cursor_covers *covers,
                    const struct box *log)
{
    for (uint32_t i = 0; i < cursor_covers_count(covers); i++) {
        struct cursor_cover cover = cursor_covers_at(covers, i);
        uint32_t slot = category_table_find(log, cover.category);
        if (slot != 0)
            put(map, slot, cover.upto);
    }
}

/* The categories of the log, one after the other, each looked for among the covers: these are in a
 * hash table that is at most half full; 0: nothing there. */
static void map_many(struct cover_map *map, const struct cursor_covers *covers,
                     const struct box *log)
{
    const struct box_category *records = store_categories(log);
    uint16_t places[PLACES] = {0};

    for (uint32_t i = 0; i < cursor_covers_count(covers); i++) {
        uint32_t at = category_hash(cursor_covers_at(covers, i).category) % PLACES;
        while (places[at] != 0)
            at = (at + 1) % PLACES;
        places[at] = (uint16_t)(i + 1);
    }
    for (uint32_t slot = 1; slot <= log->category_slots; slot++) {
        uint32_t at = records[slot - 1].hash % PLACES;
        for (; places[at] != 0; at = (at + 1) % PLACES) {
            struct cursor_cover cover = cursor_covers_at(covers, places[at] - 1u);
            if (!notify_str_eq(cover.category, category_table_name(log, slot)))
                continue;
            put(map, slot, cover.upto);
            break;
        }
    }
}

void cover_map_init(struct cover_map *map, const struct cursor_covers *covers,
                    const struct box *log)
{
    map->count = 0;
    map->max = (struct notify_id){0, 0};
    if (covers == NULL || log == NULL)
        return;
    if (cursor_covers_count(covers) <= FEW)
        map_few(map, covers, log);
    else
        map_many(map, covers, log);
}

bool cover_map_has(const struct cover_map *map, uint32_t slot, struct notify_id id)
{
    uint32_t low = 0;
    uint32_t high = map->count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (map->list[middle].slot < slot)
            low = middle + 1;
        else
            high = middle;
    }
    return low < map->count && map->list[low].slot == slot &&
           notify_id_cmp(id, map->list[low].upto) <= 0;
}
