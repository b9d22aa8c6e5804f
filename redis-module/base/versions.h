/* versions -- how notify.so of one version lives beside another: as primary and replica, and with
 * the files that it left.
 *
 * What is written for others is of two kinds: effects (the commands in which changes are replicated
 * and kept in an AOF) and payloads (RDB, DUMP, NOTIFY.RESTOREBOX). A level says how much of both a
 * reader has to know. Levels are not versions of the program: a level is added only when a reader
 * of the one before would read the new form wrongly or not at all.
 *
 *   1  what 0.1.0 reads. Its readers know no way to skip anything.
 *   2  effects may hold parts that may be skipped (MAY, below); payloads may hold sections
 *      (box_payload.c, sessions_payload.c). On standalone servers an effect has NOPUBLISH only if
 *      the client said so: who executes it publishes (publish.h). AS id/maxlen stands
 *      for ID and MAXLEN of a SEND, and with one for each key SENDMANY is an effect, too. A
 *      session set may have more than 1,024 connections.
 *   3  Effects say which epoch begins with them (EPOCH, and the third part of AS). READALL of a
 *      category of a log is one effect, whatever it changes, and the cursor has a watermark for the
 *      category, in payloads a section that may not be passed over. BYNAME: a cursor changes, and
 *      whoever does the same does not look at the log.
 *
 * Rules:
 * - Every reader reads every level up to its own, for ever (tests/versions/corpus).
 * - The setting notify.write-version is the highest level that this server writes. During an
 *   upgrade it stays at the level of the oldest server that still reads (docs/upgrading.md).
 * - A payload is written in the lowest level that holds its data. What the set level cannot hold is
 *   left out if it may be skipped; a command that needs more refuses clients while it is lower.
 * - What an older reader of this level may do without goes into an effect as
 *       MAY n word [word …]
 *   behind all else that the command has; n words follow, the first of which names the part. A
 *   reader that knows the name takes it for an option of the command, others pass over the n words.
 *   Whatever it must not do without is an ordinary word: a reader that does not know it ends its
 *   process (replay.h), and so never differs in silence.
 * - In a payload the same are sections that say of themselves whether they may be skipped.
 *
 * To add something to an effect or a payload: if readers of level 2 may skip it, write it from
 * level 2 on as MAY, or as a section; if not, make a level of it, write it only from that level
 * on (config_writes), and let tests/versions run the module before it beside yours. */
#ifndef VERSIONS_H
#define VERSIONS_H

enum { WRITE_VERSION_FIRST = 1, WRITE_VERSION_LATEST = 3 };

/* From which level on. */
enum {
    WRITE_VERSION_TOLD_BY_EFFECT = 2,
    WRITE_VERSION_SHORT_SENDS = 2,
    WRITE_VERSION_SECTIONS = 2,
    WRITE_VERSION_EPOCHS = 3,
    WRITE_VERSION_BY_NAME = 3,
    WRITE_VERSION_COVERS = 3,     /* of cursors: cursor_covers.h */
    WRITE_VERSION_LARGE_SETS = 2, /* session sets of more than WRITE_SMALL_SET connections */
};
enum { WRITE_SMALL_SET = 1024 };

/* The word before a part that may be skipped. It is no valid UTF-8, so that it cannot be the name
 * of a category, a log or a connection: it means the same wherever it stands. Refused from clients.
 */
#define VERSIONS_MAY "\xffMAY"

#endif
