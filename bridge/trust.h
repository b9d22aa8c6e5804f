/* trust -- the authority as it is configured: ties where keys come from to what fetches them, and
 * looks every few seconds whether its files have changed. */
#ifndef TRUST_H
#define TRUST_H

struct authority;
struct config;
struct loop;
struct trust;

struct trust_handlers {
    void (*on_keys)(void *ctx);   /* tokens can be judged now, or cannot any more */
    void (*on_rights)(void *ctx); /* what roles may do has changed */
};

/* config and handlers are borrowed for life. NULL: the reason has been logged. */
struct trust *trust_new(struct loop *loop, const struct config *config,
                        const struct trust_handlers *handlers, void *ctx);
void trust_free(struct trust *trust);

struct authority *trust_authority(struct trust *trust);
/* Looks now (SIGHUP). */
void trust_check_files(struct trust *trust);

#endif
