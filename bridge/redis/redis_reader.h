/* redis_reader -- builds struct resp trees while hiredis parses. Used by redis_link alone. */
#ifndef REDIS_READER_H
#define REDIS_READER_H

struct redisReplyObjectFunctions;
struct resp;

/* For redisReader.fn; lives for ever. */
struct redisReplyObjectFunctions *redis_reader_functions(void);
void redis_reader_free_reply(struct resp *reply);

#endif
