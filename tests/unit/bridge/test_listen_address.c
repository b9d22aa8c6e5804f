#include "net/listen_address.h"

#include <criterion/criterion.h>

#include "net/handed.h"

Test(listen_address, of_a_socket_that_is_handed_over_there_is_a_name)
{
    cr_expect_null(listen_address_check("systemd:web"));
    cr_expect_null(listen_address_check("systemd:web,tls,proxy"));
    cr_expect_not_null(listen_address_check("systemd:"));
    cr_expect_not_null(listen_address_check("systemd:,tls"));
    cr_expect_not_null(listen_address_check("systemd:a:b"), "names have no colons");
    cr_expect_not(listen_address_is_local("systemd:web"), "who knows?");
}

static void expect_name(const char *address, const char *name)
{
    char out[LISTEN_ADDRESS_BYTES];

    handed_name(address, out);
    cr_expect_str_eq(out, name);
}

Test(listen_address, an_address_has_a_name_without_colons)
{
    expect_name("systemd:web,tls", "web");
    expect_name("[::1]:80,proxy", "[||1]|80");
    expect_name("unix:/run/a:b", "unix|/run/a|b");
}
