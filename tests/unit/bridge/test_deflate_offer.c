/* Which offers of permessage-deflate are taken, and what is answered. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "wire/deflate_offer.h"
#include "wire/http_head.h"

#define OURS                                                                                       \
    "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; "                   \
    "client_no_context_takeover"

struct offer_case {
    const char *value;
    enum deflate_offered offered;
    bool names_window;
};

static const struct offer_case cases[] = {
    {"permessage-deflate", DEFLATE_TAKEN, false},
    {"permessage-deflate; client_max_window_bits", DEFLATE_TAKEN, false}, /* browsers */
    {"permessage-deflate; client_max_window_bits=15", DEFLATE_TAKEN, false},
    {"permessage-deflate ;\tclient_max_window_bits = \"8\" ", DEFLATE_TAKEN, false},
    {"permessage-deflate; server_no_context_takeover", DEFLATE_TAKEN, false},
    {"permessage-deflate; client_no_context_takeover", DEFLATE_TAKEN, false},
    {"permessage-deflate; client_no_context_takeover; server_no_context_takeover; "
     "server_max_window_bits=12; client_max_window_bits=9",
     DEFLATE_TAKEN, true},
    {"permessage-deflate; server_max_window_bits=15", DEFLATE_TAKEN, true},
    {"permessage-deflate; server_max_window_bits=\"13\"", DEFLATE_TAKEN, true},
    /* The first that can be taken. */
    {"permessage-deflate; server_max_window_bits=9, permessage-deflate", DEFLATE_TAKEN, false},
    {"x-webkit-deflate-frame, permessage-deflate; unknown, , permessage-deflate; "
     "server_max_window_bits=14",
     DEFLATE_TAKEN, true},
    {"permessage-deflate, permessage-deflate; server_max_window_bits=14", DEFLATE_TAKEN, false},
    /* A smaller window than ours. */
    {"permessage-deflate; server_max_window_bits=11", DEFLATE_DECLINED, false},
    {"permessage-deflate; server_max_window_bits=8", DEFLATE_DECLINED, false},
    /* What has no such value, or one that there is not. */
    {"permessage-deflate; server_max_window_bits", DEFLATE_DECLINED, false},
    {"permessage-deflate; server_max_window_bits=", DEFLATE_DECLINED, false},
    {"permessage-deflate; server_max_window_bits=\"\"", DEFLATE_DECLINED, false},
    {"permessage-deflate; server_max_window_bits=\"", DEFLATE_DECLINED, false},
    {"permessage-deflate; server_max_window_bits=16", DEFLATE_DECLINED, false},
    {"permessage-deflate; server_max_window_bits=012", DEFLATE_DECLINED, false},
    {"permessage-deflate; server_max_window_bits=+12", DEFLATE_DECLINED, false},
    {"permessage-deflate; server_max_window_bits=1.5", DEFLATE_DECLINED, false},
    {"permessage-deflate; server_max_window_bits=4294967308", DEFLATE_DECLINED, false},
    {"permessage-deflate; client_max_window_bits=7", DEFLATE_DECLINED, false},
    {"permessage-deflate; client_max_window_bits=16", DEFLATE_DECLINED, false},
    {"permessage-deflate; client_max_window_bits=x", DEFLATE_DECLINED, false},
    {"permessage-deflate; server_no_context_takeover=true", DEFLATE_DECLINED, false},
    {"permessage-deflate; client_no_context_takeover=1", DEFLATE_DECLINED, false},
    /* What is unknown, or said twice. */
    {"permessage-deflate; mux", DEFLATE_DECLINED, false},
    {"permessage-deflate; client_max_window_bits; client_max_window_bits", DEFLATE_DECLINED, false},
    {"permessage-deflate; server_max_window_bits=12; server_max_window_bits=12", DEFLATE_DECLINED,
     false},
    {"permessage-deflate; server_no_context_takeover; server_no_context_takeover", DEFLATE_DECLINED,
     false},
    {"permessage-deflate; Client_Max_Window_Bits", DEFLATE_DECLINED, false},
    {"permessage-deflate;", DEFLATE_DECLINED, false},
    {"permessage-deflate; ; client_max_window_bits", DEFLATE_DECLINED, false},
    /* Other extensions. */
    {"", DEFLATE_NOT_OFFERED, false},
    {"permessage-bzip2", DEFLATE_NOT_OFFERED, false},
    {"permessage-deflate2; permessage-deflate", DEFLATE_NOT_OFFERED, false},
    {"x; y=\"permessage-deflate\"", DEFLATE_NOT_OFFERED, false},
    {",,, ,", DEFLATE_NOT_OFFERED, false},
};

static enum deflate_offered find(const char *fields, struct deflate_offer *offer)
{
    static char text[1024];
    static struct http_head head;

    (void)snprintf(text, sizeof(text), "GET / HTTP/1.1\r\nHost: a\r\n%s\r\n", fields);
    cr_assert_eq(http_head_parse(&head, text, strlen(text)), 0, "%s", text);
    return deflate_offer_find(&head, offer);
}

Test(deflate_offer, an_offer_is_taken_only_if_all_of_it_is_understood_and_can_be_had)
{
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct deflate_offer offer;
        char field[512];
        (void)snprintf(field, sizeof(field), "Sec-WebSocket-Extensions: %s\r\n", cases[i].value);
        cr_expect_eq(find(field, &offer), cases[i].offered, "%s", cases[i].value);
        if (cases[i].offered == DEFLATE_TAKEN)
            cr_expect_eq(offer.names_window, cases[i].names_window, "%s", cases[i].value);
    }
}

Test(deflate_offer, several_fields_are_one_list)
{
    struct deflate_offer offer;

    cr_expect_eq(find("", &offer), DEFLATE_NOT_OFFERED);
    cr_expect_eq(
        find("Sec-WebSocket-Extensions: a\r\nsec-websocket-extensions: permessage-deflate; "
             "server_max_window_bits=13\r\n",
             &offer),
        DEFLATE_TAKEN);
    cr_expect(offer.names_window);
}

/* Both are bound to it that nothing is kept between messages; and to our window if that was asked
 * for. */
Test(deflate_offer, the_answer_names_what_holds)
{
    char out[DEFLATE_ANSWER_MAX];
    struct deflate_offer offer = {.names_window = false};

    cr_expect_eq(deflate_offer_answer(&offer, out), (int)strlen(out));
    cr_expect_str_eq(out, OURS "\r\n");
    offer.names_window = true;
    cr_expect_eq(deflate_offer_answer(&offer, out), (int)strlen(out));
    cr_expect_str_eq(out, OURS "; server_max_window_bits=12\r\n");
}
