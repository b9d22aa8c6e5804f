/* fuzz_replay -- main for a fuzz target in ordinary test builds: runs it once on the empty input
 * and once on each file of the folders named as arguments. A missing folder holds no inputs. */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Inputs are kept small; a longer one is a mistake in the folder. */
#define MAX_INPUT_BYTES (1u << 20)

static int replay_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    uint8_t *data = NULL;
    size_t size;
    int rc = -1;

    if (!file)
        goto done;
    data = malloc(MAX_INPUT_BYTES + 1);
    if (!data)
        goto done;
    size = fread(data, 1, MAX_INPUT_BYTES + 1, file);
    if (ferror(file) || size > MAX_INPUT_BYTES)
        goto done;
    LLVMFuzzerTestOneInput(data, size);
    rc = 0;
done:
    if (rc != 0)
        fprintf(stderr, "%s: cannot be read as a fuzz input\n", path);
    free(data);
    if (file)
        (void)fclose(file); /* opened for reading: nothing can be lost */
    return rc;
}

/* Returns how many inputs ran, or -1. */
static int replay_folder(const char *folder)
{
    DIR *dir = opendir(folder);
    struct dirent *entry;
    int count = 0;

    if (!dir)
        return errno == ENOENT ? 0 : -1;
    while ((entry = readdir(dir)) != NULL) {
        char path[PATH_MAX];

        if (entry->d_name[0] == '.')
            continue;
        if (snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name) >= (int)sizeof(path) ||
            replay_file(path) != 0) {
            count = -1;
            break;
        }
        count++;
    }
    closedir(dir);
    return count;
}

int main(int argc, char **argv)
{
    static const uint8_t nothing[1];
    int total = 0;

    LLVMFuzzerTestOneInput(nothing, 0);
    for (int i = 1; i < argc; i++) {
        int count = replay_folder(argv[i]);

        if (count < 0)
            return 1;
        total += count;
    }
    printf("replayed %d inputs\n", total);
    return 0;
}
