/* A disk that fails when it is told to: preloaded into a server, it makes the n-th call of a kind return an error.
 *
 * FAILING_DISK names a file that is shared with the test and holds the plan; FAILING_DISK_BELOW the folder that is
 * concerned. Only write, fsync and rename in all their forms fail, since it is they that promise something. Where
 * FAILING_DISK_DIARY names a file, every fsync and rename that went well is written down there, in its order.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum { WRITE = 1, SYNC = 2, RENAME = 4 };

struct plan {
    atomic_int kinds; /* which calls; 0 when the disk is well */
    atomic_int after; /* how many of them still go well */
    atomic_int times; /* how many fail then */
    atomic_int error; /* with what */
    atomic_int seen;  /* how many have failed */
};

static struct plan *plan;
static const char *below;
static size_t below_length;
static int diary = -1;

__attribute__((constructor)) static void start(void) {
    const char *path = getenv("FAILING_DISK");
    below = getenv("FAILING_DISK_BELOW");
    if (path == NULL || below == NULL)
        return;
    int file = open(path, O_RDWR | O_CLOEXEC);
    if (file < 0)
        return;
    void *found = mmap(NULL, sizeof(struct plan), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    below_length = strlen(below);
    if ((path = getenv("FAILING_DISK_DIARY")) != NULL)
        diary = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (found != MAP_FAILED)
        plan = found;
}

static int concerned(const char *path) { return strncmp(path, below, below_length) == 0; }

static int is_there(int descriptor, char path[4096]) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(link, path, 4095);
    if (length < 0)
        return 0;
    path[length] = 0;
    return concerned(path);
}

static void note(const char *what, const char *path) {
    char line[8192];
    int length = snprintf(line, sizeof line, "%s %s\n", what, path + below_length + 1);
    if (length > 0 && write(diary, line, length) < 0)
        diary = -1;
}

static int fails(int kind, int descriptor, const char *path) {
    if (plan == NULL || !(atomic_load(&plan->kinds) & kind))
        return 0;
    char found[4096];
    if (!(path != NULL ? concerned(path) : is_there(descriptor, found)))
        return 0;
    if (atomic_fetch_sub(&plan->after, 1) > 0)
        return 0;
    if (atomic_fetch_sub(&plan->times, 1) <= 0)
        return 0;
    atomic_fetch_add(&plan->seen, 1);
    errno = atomic_load(&plan->error);
    return 1;
}

#define REAL(type, name, ...)                                                                                          \
    static type (*real)(__VA_ARGS__);                                                                                  \
    if (real == NULL)                                                                                                  \
    *(void **)&real = dlsym(RTLD_NEXT, #name)

#define ON_DESCRIPTOR(kind, type, name, descriptor, arguments, ...)                                                    \
    type name(__VA_ARGS__) {                                                                                           \
        REAL(type, name, __VA_ARGS__);                                                                                 \
        return fails(kind, descriptor, NULL) ? -1 : real arguments;                                                    \
    }

ON_DESCRIPTOR(WRITE, ssize_t, write, fd, (fd, data, size), int fd, const void *data, size_t size)
ON_DESCRIPTOR(WRITE, ssize_t, writev, fd, (fd, parts, count), int fd, const struct iovec *parts, int count)
ON_DESCRIPTOR(WRITE, ssize_t, pwrite, fd, (fd, data, size, at), int fd, const void *data, size_t size, off_t at)
ON_DESCRIPTOR(WRITE, ssize_t, pwrite64, fd, (fd, data, size, at), int fd, const void *data, size_t size, off64_t at)
ON_DESCRIPTOR(WRITE, int, ftruncate, fd, (fd, size), int fd, off_t size)
ON_DESCRIPTOR(WRITE, int, ftruncate64, fd, (fd, size), int fd, off64_t size)
ON_DESCRIPTOR(WRITE, ssize_t, splice, out, (in, in_at, out, out_at, size, flags), int in, off64_t *in_at, int out,
              off64_t *out_at, size_t size, unsigned flags)
#define ON_SYNC(name)                                                                                                  \
    int name(int fd) {                                                                                                 \
        REAL(int, name, int);                                                                                          \
        char path[4096];                                                                                               \
        if (fails(SYNC, fd, NULL))                                                                                     \
            return -1;                                                                                                 \
        int result = real(fd);                                                                                         \
        if (diary >= 0 && result == 0 && is_there(fd, path))                                                           \
            note("sync", path);                                                                                        \
        return result;                                                                                                 \
    }

ON_SYNC(fsync)
ON_SYNC(fdatasync)

int rename(const char *from, const char *to) {
    REAL(int, rename, const char *, const char *);
    if (fails(RENAME, -1, to))
        return -1;
    int result = real(from, to);
    if (diary >= 0 && result == 0 && concerned(to))
        note("rename", to);
    return result;
}

int renameat(int from_fd, const char *from, int to_fd, const char *to) {
    REAL(int, renameat, int, const char *, int, const char *);
    return fails(RENAME, -1, to) ? -1 : real(from_fd, from, to_fd, to);
}
