/* The canonical words: what was published, and what the handlers say. */
#include "wire/inbound.h"
#include "wire/json_writer.h"
#include "wire/vocabulary.h"

static void add_string(struct json_writer *writer, struct notify_str name, struct notify_str text)
{
    json_writer_add(writer, name);
    json_writer_add_string(writer, text);
}

/* One that there need not be. */
static void add_json(struct json_writer *writer, struct notify_str name, const json_t *value)
{
    if (value == NULL)
        return;
    json_writer_add(writer, name);
    json_writer_add_json(writer, value);
}

void greeting_add_who(struct json_writer *writer, const struct greeting *greeting)
{
    add_string(writer, NOTIFY_STR("\"client_id\":"), greeting->client_id);
    add_string(writer, NOTIFY_STR(",\"user_id\":"), greeting->user_id);
    add_json(writer, NOTIFY_STR(",\"roles\":"), greeting->roles);
    add_json(writer, NOTIFY_STR(",\"categories\":"), greeting->categories);
    add_json(writer, NOTIFY_STR(",\"positions\":"), greeting->positions);
    add_string(writer, NOTIFY_STR(",\"timestamp\":"), notify_str_z(greeting->timestamp));
    json_writer_add(writer, NOTIFY_STR("}"));
}

bool greeting_of_connection(const struct greeting *greeting, struct text *ret)
{
    struct json_writer writer = {.len = 0};

    json_writer_add(&writer, NOTIFY_STR("{\"type\":\"connection\",\"status\":\"connected\","));
    greeting_add_who(&writer, greeting);
    return json_writer_end(&writer, ret);
}

const struct vocabulary vocabulary_canonical = {.greeting = greeting_of_connection,
                                                .read = inbound_read};
