/* command_keys -- see command_keys.h. */
#include "commands/command_keys.h"

#define INDEX_SPEC(at, spec_flags)                                                                 \
    {                                                                                              \
        .flags = (spec_flags), .begin_search = RM_BEGIN_INDEX, .bs.index.pos = (at),               \
        .find_keys = RM_FIND_RANGE, .fk.range = {                                                  \
            0,                                                                                     \
            1,                                                                                     \
            0                                                                                      \
        }                                                                                          \
    }
#define END                                                                                        \
    {                                                                                              \
        .begin_search = 0                                                                          \
    }
#define ONE_KEY(at, spec_flags)                                                                    \
    {                                                                                              \
        INDEX_SPEC(at, spec_flags), END                                                            \
    }
#define LOG_SPEC_FLAGS (RM_KEY_RO | RM_KEY_ACCESS | RM_KEY_INCOMPLETE)
#define NAMED_LOGS_SPEC(spec_flags)                                                                \
    {                                                                                              \
        .notes = "up to the options", .flags = (spec_flags), .begin_search = RM_BEGIN_INDEX,       \
        .bs.index.pos = 2, .find_keys = RM_FIND_RANGE, .fk.range = {                               \
            -1,                                                                                    \
            1,                                                                                     \
            0                                                                                      \
        }                                                                                          \
    }

#define LOG_SPEC                                                                                   \
    {                                                                                              \
        .notes = "the word is an option unless it is the name of a category",                      \
        .flags = LOG_SPEC_FLAGS, .begin_search = RM_BEGIN_KEYWORD, .bs.keyword = {"LOG", 2},       \
        .find_keys = RM_FIND_RANGE, .fk.range = {                                                  \
            0,                                                                                     \
            1,                                                                                     \
            0                                                                                      \
        }                                                                                          \
    }
#define LOGS_SPEC                                                                                  \
    {                                                                                              \
        .notes = "the word is an option unless it is the name of a category",                      \
        .flags = LOG_SPEC_FLAGS, .begin_search = RM_BEGIN_KEYWORD, .bs.keyword = {"LOGS", 2},      \
        .find_keys = RM_FIND_KEYNUM, .fk.keynum = {                                                \
            0,                                                                                     \
            1,                                                                                     \
            1                                                                                      \
        }                                                                                          \
    }
#define KEY_AND_LOG(spec_flags)                                                                    \
    {                                                                                              \
        INDEX_SPEC(1, spec_flags), LOG_SPEC, END                                                   \
    }

/* By enum key_use. Some specs are incomplete on purpose, so that the server asks the command itself
 * ("getkeys-api"): COUNT n at the end of pairs stands where a pair could, options stand where logs
 * could, and the first word LOGS may be the name of a category. */
static struct rm_key_spec specs[][4] = {
    [KEY_READ] = ONE_KEY(1, RM_KEY_RO | RM_KEY_ACCESS),
    [KEY_INSERT] = ONE_KEY(1, RM_KEY_RW | RM_KEY_INSERT),
    [KEY_UPDATE] = ONE_KEY(1, RM_KEY_RW | RM_KEY_UPDATE),
    [KEY_DELETE] = ONE_KEY(1, RM_KEY_RW | RM_KEY_DELETE),
    [KEY_INSERT_MANY] = {{.flags = RM_KEY_RW | RM_KEY_INSERT,
                          .begin_search = RM_BEGIN_INDEX,
                          .bs.index.pos = 1,
                          .find_keys = RM_FIND_KEYNUM,
                          .fk.keynum = {0, 1, 1}},
                         END},
    [KEY_PAIRS] = {{.notes = "every second argument, but for COUNT n at the end",
                    .flags = RM_KEY_RO | RM_KEY_ACCESS | RM_KEY_INCOMPLETE,
                    .begin_search = RM_BEGIN_INDEX,
                    .bs.index.pos = 1,
                    .find_keys = RM_FIND_RANGE,
                    .fk.range = {-1, 2, 0}},
                   END},
    [KEY_READ_LOGS] = {INDEX_SPEC(1, RM_KEY_RO | RM_KEY_ACCESS), LOGS_SPEC, END},
    [KEY_READ_LOG] = KEY_AND_LOG(RM_KEY_RO | RM_KEY_ACCESS),
    [KEY_UPDATE_LOG] = KEY_AND_LOG(RM_KEY_RW | RM_KEY_UPDATE),
    [KEY_UPDATE_LOGS] = {INDEX_SPEC(1, RM_KEY_RW | RM_KEY_UPDATE), LOG_SPEC, LOGS_SPEC, END},
    [KEY_FOLLOW] = {INDEX_SPEC(1, RM_KEY_RW | RM_KEY_INSERT), NAMED_LOGS_SPEC(LOG_SPEC_FLAGS), END},
    [KEY_UNFOLLOW] = {INDEX_SPEC(1, RM_KEY_RW | RM_KEY_UPDATE),
                      NAMED_LOGS_SPEC(RM_KEY_RO | RM_KEY_INCOMPLETE), END},
    [KEY_SUB_READ] = ONE_KEY(2, RM_KEY_RO | RM_KEY_ACCESS),
    [KEY_SUB_INSERT] = ONE_KEY(2, RM_KEY_RW | RM_KEY_INSERT),
    [KEY_SUB_UPDATE] = ONE_KEY(2, RM_KEY_RW | RM_KEY_UPDATE),
    [KEY_SUB_PAIRS] = {{.flags = RM_KEY_RW | RM_KEY_UPDATE,
                        .begin_search = RM_BEGIN_INDEX,
                        .bs.index.pos = 4,
                        .find_keys = RM_FIND_RANGE,
                        .fk.range = {-2, 2, 0}},
                       END},
    [KEY_SUB_DELETE] = ONE_KEY(2, RM_KEY_RW | RM_KEY_DELETE),
    [KEY_NONE] = {END},
};

/* The same for servers and clients that know only this: first key, last key, step. */
static const struct command_key_range ranges[] = {
    [KEY_READ] = {1, 1, 1},       [KEY_INSERT] = {1, 1, 1},      [KEY_UPDATE] = {1, 1, 1},
    [KEY_DELETE] = {1, 1, 1},     [KEY_PAIRS] = {1, -1, 2},      [KEY_READ_LOGS] = {1, 1, 1},
    [KEY_READ_LOG] = {1, 1, 1},   [KEY_UPDATE_LOG] = {1, 1, 1},  [KEY_UPDATE_LOGS] = {1, 1, 1},
    [KEY_FOLLOW] = {1, 1, 1},     [KEY_UNFOLLOW] = {1, 1, 1},    [KEY_SUB_READ] = {2, 2, 1},
    [KEY_SUB_INSERT] = {2, 2, 1}, [KEY_SUB_UPDATE] = {2, 2, 1},  [KEY_SUB_DELETE] = {2, 2, 1},
    [KEY_NONE] = {0, 0, 0},       [KEY_INSERT_MANY] = {0, 0, 0}, [KEY_SUB_PAIRS] = {4, -2, 2},
};

struct rm_key_spec *command_keys_specs(enum key_use use)
{
    return specs[use];
}

struct command_key_range command_keys_range(enum key_use use)
{
    return ranges[use];
}
