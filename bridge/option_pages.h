/* option_pages -- the table of options as the files that a package brings: manual pages (mdoc(7)),
 * a configuration in which all is commented out, completions of three shells. `notify-bridge
 * --help-as`.
 */
#ifndef OPTION_PAGES_H
#define OPTION_PAGES_H

#include <stdio.h>

/* In the order of the choices of the option. */
enum option_page {
    OPTION_PAGE_NONE,
    OPTION_PAGE_MAN,
    OPTION_PAGE_MAN_CONFIG,
    OPTION_PAGE_CONFIG,
    OPTION_PAGE_BASH,
    OPTION_PAGE_ZSH,
    OPTION_PAGE_FISH,
};

void option_page_print(FILE *out, enum option_page which);

#endif
