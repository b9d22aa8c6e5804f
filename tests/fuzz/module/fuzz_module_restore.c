/* Any bytes as a value that RESTORE, an RDB or a replica's primary brings, through the very
 * callbacks that the server would call, with a server of our own behind them. What is accepted must
 * save, copy, move and be rewritten as commands to an equal value: both forms are on the path of a
 * slot that moves.
 *
 * Input: one byte (bit 0: a session set instead of a box; bit 1: another encoding version), then
 * strings, each with a length of two bytes (low first) before it; the last may be cut short. */
#include <malloc.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "server/args.h"
#include "server/box_type.h"
#include "server/module_api.h"
#include "server/sessions_effect.h"
#include "server/sessions_type.h"

enum {
    FLAG_SESSIONS = 1,
    FLAG_OTHER_VERSION = 2,
    WORDS_MAX = 8192,           /* of one command of a rewritten AOF */
    COMMAND_BYTES_MAX = 2 << 20 /* likewise, unless one entry is longer: inputs are not */
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition)
        abort();
}

/* ---- the server ---- */

struct rm_string {
    size_t len;
    char bytes[];
};

struct string_list {
    struct rm_string **list;
    size_t count;
};

/* A stream that is read from an input or from what was saved, or written to. */
struct rm_io {
    struct string_list strings; /* owned */
    size_t read;
    bool failed;
    void *rewritten; /* the value that the emitted commands have made so far */
    bool is_sessions;
};

/* As the server's: sequences are hashed one by one, and their order does not matter. */
struct rm_digest {
    uint64_t sequence;
    uint64_t sum;
};

#define FNV_BASIS UINT64_C(14695981039346656037)
#define FNV_PRIME UINT64_C(1099511628211)

struct rm_defrag {
    size_t moved;
};

static struct rm_type_methods methods[2]; /* box, session set */
static int encodings[2];
static int types;

static struct rm_string *create_string(struct rm_ctx *ctx, const char *bytes, size_t len)
{
    struct rm_string *string = malloc(sizeof(*string) + len);

    (void)ctx;
    require(string != NULL);
    string->len = len;
    if (len > 0)
        memcpy(string->bytes, bytes, len);
    return string;
}

static void free_string(struct rm_ctx *ctx, struct rm_string *string)
{
    (void)ctx;
    free(string);
}

static const char *string_ptr_len(const struct rm_string *string, size_t *len)
{
    *len = string->len;
    return string->bytes;
}

static void add_string(struct string_list *strings, const char *bytes, size_t len)
{
    strings->list = realloc(strings->list, (strings->count + 1) * sizeof strings->list[0]);
    require(strings->list != NULL);
    strings->list[strings->count++] = create_string(NULL, bytes, len);
}

static void release_strings(struct string_list *strings)
{
    for (size_t i = 0; i < strings->count; i++)
        free(strings->list[i]);
    free(strings->list);
}

static void save_string(struct rm_io *io, const char *bytes, size_t len)
{
    add_string(&io->strings, bytes, len);
}

static char *load_string(struct rm_io *io, size_t *len)
{
    const struct rm_string *string;
    char *bytes;

    if (io->read == io->strings.count) {
        io->failed = true;
        return NULL;
    }
    string = io->strings.list[io->read++];
    bytes = malloc(string->len + 1);
    require(bytes != NULL);
    memcpy(bytes, string->bytes, string->len);
    *len = string->len;
    return bytes;
}

static int is_io_error(struct rm_io *io)
{
    return io->failed;
}

static void log_io_error(struct rm_io *io, const char *level, const char *format, ...)
{
    (void)io, (void)level, (void)format;
}

/* Runs one command of a rewritten AOF, as loading it would. */
static void run_command(struct rm_io *io, struct rm_string **argv, int argc)
{
    struct args args;
    size_t bytes = 0;

    for (int i = 0; i < argc; i++)
        bytes += argv[i]->len;
    require(bytes < COMMAND_BYTES_MAX);
    if (io->is_sessions) {
        struct sessions *set = io->rewritten == NULL ? sessions_new() : io->rewritten;
        args_init(&args, argv, argc, 3);
        require(sessions_effect_apply(&set, &args) == 0);
        io->rewritten = set;
    } else {
        struct box *box = io->rewritten;
        args_init(&args, argv, argc, 2);
        require(box_type_restore(&box, &args) == 0);
        io->rewritten = box;
    }
}

/* Knows the formats that are used: "v" and "sv". */
static void emit_aof(struct rm_io *io, const char *name, const char *format, ...)
{
    static struct rm_string *argv[WORDS_MAX];
    struct rm_string **words;
    int argc = 1;
    size_t count;
    va_list va;

    argv[0] = create_string(NULL, name, strlen(name));
    va_start(va, format);
    if (*format == 's') {
        argv[argc++] = va_arg(va, struct rm_string *);
        format++;
    }
    require(strcmp(format, "v") == 0);
    words = va_arg(va, struct rm_string **);
    count = va_arg(va, size_t);
    va_end(va);
    require(count <= WORDS_MAX - 2);
    memcpy(argv + argc, words, count * sizeof words[0]);
    run_command(io, argv, argc + (int)count);
    free(argv[0]);
}

static void digest_bytes(struct rm_digest *digest, const char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        digest->sequence = (digest->sequence ^ (uint8_t)bytes[i]) * FNV_PRIME;
    digest->sequence = (digest->sequence ^ len) * FNV_PRIME;
}

static void digest_number(struct rm_digest *digest, long long number)
{
    digest_bytes(digest, (const char *)&number, sizeof number);
}

static void digest_end(struct rm_digest *digest)
{
    digest->sum += digest->sequence * digest->sequence; /* not XOR: two equal ones must count */
    digest->sequence = FNV_BASIS;
}

/* Always moves. What still looks at the old place is found by AddressSanitizer. */
static void *alloc_elsewhere(struct rm_defrag *ctx, void *ptr)
{
    size_t size = malloc_usable_size(ptr);
    void *moved = malloc(size);

    require(moved != NULL);
    memcpy(moved, ptr, size);
    free(ptr);
    ctx->moved++;
    return moved;
}

static int is_over(struct rm_defrag *ctx)
{
    (void)ctx;
    return 1;
}

static int no_cursor(struct rm_defrag *ctx, unsigned long *cursor)
{
    (void)ctx, (void)cursor;
    return RM_ERR;
}

static struct rm_type *create_type(struct rm_ctx *ctx, const char *name, int encver,
                                   struct rm_type_methods *given)
{
    (void)ctx;
    require(strlen(name) == 9 && types < 2);
    methods[types] = *given;
    encodings[types] = encver;
    return (struct rm_type *)&methods[types++];
}

static void start_server(void)
{
    rm_CreateDataType = create_type;
    rm_TryAlloc = malloc;
    rm_Free = free;
    rm_CreateString = create_string;
    rm_FreeString = free_string;
    rm_StringPtrLen = string_ptr_len;
    rm_SaveStringBuffer = save_string;
    rm_LoadStringBuffer = load_string;
    rm_IsIOError = is_io_error;
    rm_LogIOError = log_io_error;
    rm_EmitAOF = emit_aof;
    rm_DigestAddStringBuffer = digest_bytes;
    rm_DigestAddLongLong = digest_number;
    rm_DigestEndSequence = digest_end;
    rm_DefragAlloc = alloc_elsewhere;
    rm_DefragShouldStop = is_over;
    rm_DefragCursorGet = no_cursor;
    require(box_type_init(NULL) && sessions_type_init(NULL));
}

/* ---- what must hold ---- */

static uint64_t digest_of(const struct rm_type_methods *type, void *value)
{
    struct rm_digest digest = {.sequence = FNV_BASIS};

    type->digest(&digest, value);
    require(digest.sequence == FNV_BASIS); /* what is not ended the server leaves out */
    return digest.sum;
}

/* Frees value. */
static void require_digest(const struct rm_type_methods *type, void *value, uint64_t wanted)
{
    require(value != NULL && digest_of(type, value) == wanted);
    type->free(value);
}

static void check_value(int number, void **value)
{
    const struct rm_type_methods *type = &methods[number];
    uint64_t digest = digest_of(type, *value);
    struct rm_io saved = {.is_sessions = number == 1};
    struct rm_io aof = {.is_sessions = number == 1};
    struct rm_defrag defrag = {0};
    struct rm_string *key = create_string(NULL, "key", 3);

    type->rdb_save(&saved, *value);
    require_digest(type, type->rdb_load(&saved, encodings[number]), digest);
    require(saved.read == saved.strings.count);
    release_strings(&saved.strings);
    require_digest(type, type->copy2(NULL, *value), digest);
    type->aof_rewrite(&aof, key, *value);
    require(aof.rewritten != NULL && digest_of(type, aof.rewritten) == digest);
    /* box_type_restore leaves the counting of boxes to its command: only the value is freed. */
    number == 1 ? sessions_free(aof.rewritten) : box_free(aof.rewritten);
    require(type->defrag(&defrag, key, value) == 0 && defrag.moved > 0);
    require(digest_of(type, *value) == digest);
    require(type->mem_usage2(NULL, *value, 0) > 0 && type->free_effort2(NULL, *value) > 0);
    free(key);
}

static void read_input(struct rm_io *io, const uint8_t *data, size_t size)
{
    while (size >= 2) {
        size_t len = (size_t)(data[0] | data[1] << 8);
        data += 2;
        size -= 2;
        if (len > size)
            len = size;
        add_string(&io->strings, (const char *)data, len);
        data += len;
        size -= len;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rm_io io = {.failed = false};
    int number, version;
    void *value;

    if (types == 0)
        start_server();
    if (size == 0)
        return 0;
    number = data[0] & FLAG_SESSIONS;
    version = encodings[number] + ((data[0] & FLAG_OTHER_VERSION) != 0);
    read_input(&io, data + 1, size - 1);
    value = methods[number].rdb_load(&io, version);
    require(value == NULL || version == encodings[number]);
    if (value != NULL) {
        check_value(number, &value);
        methods[number].free(value);
    }
    release_strings(&io.strings);
    return 0;
}
