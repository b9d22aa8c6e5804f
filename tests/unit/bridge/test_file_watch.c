/* file_watch: a file that is another one, however it became so, and what is no file to be read. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/file_watch.h"

static char dir[64], path[80], fresh[80];
static struct file_watch watch;

static void write_to(const char *name, const char *text)
{
    int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
}

/* As it was at some time: cp -p, rsync -t and unpacked archives do so. */
static void date_back(const char *name)
{
    const struct timespec times[2] = {{.tv_sec = 1795000000}, {.tv_sec = 1795000000}};

    cr_assert_eq(utimensat(AT_FDCWD, name, times, 0), 0);
}

/* What the kernel dates changes by moves on a few times in a hundredth of a second only. */
static void let_its_clock_tick(void)
{
    const struct timespec some = {.tv_nsec = 20000000};

    nanosleep(&some, NULL);
}

static void begin(void)
{
    strcpy(dir, P_tmpdir "/test_file_watch.XXXXXX");
    cr_assert_not_null(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/file", dir);
    snprintf(fresh, sizeof(fresh), "%s/fresh", dir);
    write_to(path, "one");
    date_back(path);
    watch = (struct file_watch){0};
    cr_assert(file_watch_changed(&watch, path), "it is new");
    cr_assert_not(file_watch_changed(&watch, path));
    let_its_clock_tick();
}

static void end(void)
{
    unlink(path);
    unlink(fresh);
    rmdir(dir);
}

TestSuite(file_watch, .init = begin, .fini = end);

Test(file_watch, a_change_of_the_same_length_and_date_is_one)
{
    write_to(path, "two");
    date_back(path);
    cr_expect(file_watch_changed(&watch, path));
    cr_expect_not(file_watch_changed(&watch, path), "once");
}

Test(file_watch, another_file_of_the_same_length_and_date_is_another_one)
{
    write_to(fresh, "two");
    date_back(fresh);
    cr_assert_eq(rename(fresh, path), 0);
    cr_expect(file_watch_changed(&watch, path));
}

Test(file_watch, what_a_link_leads_to_is_looked_at)
{
    write_to(fresh, "two");
    cr_assert_eq(unlink(path), 0);
    cr_assert_eq(symlink(fresh, path), 0);
    cr_expect(file_watch_changed(&watch, path));
    let_its_clock_tick();
    write_to(fresh, "six");
    cr_expect(file_watch_changed(&watch, path));
}

Test(file_watch, one_that_goes_and_one_that_comes_again_are_changes)
{
    cr_assert_eq(unlink(path), 0);
    cr_expect(file_watch_changed(&watch, path));
    cr_expect_not(file_watch_changed(&watch, path));
    write_to(path, "one");
    cr_expect(file_watch_changed(&watch, path));
}

Test(file_watch, as_much_is_read_as_is_permitted)
{
    const char *why = NULL;
    size_t len = 0;
    char *text = file_read(path, 3, &len, &why);

    cr_assert_not_null(text);
    cr_expect_eq(len, 3);
    cr_expect_str_eq(text, "one");
    free(text);
    cr_expect_null(file_read(path, 2, &len, &why));
    cr_expect_str_eq(why, "it is too long");
    cr_expect_null(file_read(dir, 100, &len, &why));
    cr_expect_null(file_read(fresh, 100, &len, &why));
}
