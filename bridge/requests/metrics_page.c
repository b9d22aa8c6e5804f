#include "requests/metrics_page.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/counters.h"

static void print_head(FILE *out, const struct counter_info *info)
{
    (void)fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", info->name, info->help, info->name,
                  info->kind == COUNTER_GROWS ? "counter" : "gauge");
}

static void print_value(FILE *out, const struct counter_info *info, uint64_t value)
{
    const char *open = info->labels[0] == '\0' ? "" : "{", *end = open[0] == '\0' ? "" : "}";

    (void)fprintf(out, "%s%s%s%s %" PRIu64 "\n", info->name, open, info->labels, end, value);
}

/* All rows of one name, which the format wants together. */
static void print_family(FILE *out, size_t first)
{
    print_head(out, &counter_infos[first]);
    for (size_t i = first; i < COUNTERS; i++)
        if (strcmp(counter_infos[i].name, counter_infos[first].name) == 0)
            print_value(out, &counter_infos[i], counter_values[i]);
}

static int is_first_of_its_name(size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (strcmp(counter_infos[k].name, counter_infos[i].name) == 0)
            return 0;
    return 1;
}

char *metrics_page(size_t *ret_len)
{
    char *page = NULL;
    FILE *out = open_memstream(&page, ret_len);

    if (out == NULL)
        return NULL;
    counters_set_gauges();
    for (size_t i = 0; i < COUNTERS; i++)
        if (is_first_of_its_name(i))
            print_family(out, i);
    if (fclose(out) == 0)
        return page;
    free(page);
    return NULL;
}
