/* What a kernel answers by system call and not by file: uname, and /proc/modules where the real kernel has none.
 * Loaded into every program of a machine by /etc/ld.so.preload. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#define MODULES "/run/lab/kernel/modules"
#define RELEASE "/run/lab/kernel/osrelease"
#define VERSION "/run/lab/kernel/uname-version"

static const char *seen(const char *path) {
    return path && strcmp(path, "/proc/modules") == 0 ? MODULES : path;
}

static void fill(const char *file, char *field, size_t size) {
    char text[65] = {0};
    int descriptor = openat(AT_FDCWD, file, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) return;
    ssize_t count = read(descriptor, text, sizeof text - 1);
    close(descriptor);
    if (count <= 0) return;
    text[strcspn(text, "\n")] = 0;
    strncpy(field, text, size - 1);
}

int uname(struct utsname *name) {
    static int (*real)(struct utsname *);
    if (!real) real = dlsym(RTLD_NEXT, "uname");
    int result = real(name);
    if (result == 0) {
        fill(RELEASE, name->release, sizeof name->release);
        fill(VERSION, name->version, sizeof name->version);
    }
    return result;
}

#define OPEN(function)                                                                     \
    int function(const char *path, int flags, ...) {                                       \
        static int (*real)(const char *, int, ...);                                        \
        if (!real) real = dlsym(RTLD_NEXT, #function);                                     \
        va_list rest;                                                                      \
        va_start(rest, flags);                                                             \
        int mode = va_arg(rest, int);                                                      \
        va_end(rest);                                                                      \
        return real(seen(path), flags, mode);                                              \
    }
OPEN(open)
OPEN(open64)

#define OPENAT(function)                                                                   \
    int function(int directory, const char *path, int flags, ...) {                        \
        static int (*real)(int, const char *, int, ...);                                   \
        if (!real) real = dlsym(RTLD_NEXT, #function);                                     \
        va_list rest;                                                                      \
        va_start(rest, flags);                                                             \
        int mode = va_arg(rest, int);                                                      \
        va_end(rest);                                                                      \
        return real(directory, seen(path), flags, mode);                                   \
    }
OPENAT(openat)
OPENAT(openat64)

FILE *fopen(const char *path, const char *mode) {
    static FILE *(*real)(const char *, const char *);
    if (!real) real = dlsym(RTLD_NEXT, "fopen");
    return real(seen(path), mode);
}

FILE *fopen64(const char *path, const char *mode) {
    static FILE *(*real)(const char *, const char *);
    if (!real) real = dlsym(RTLD_NEXT, "fopen64");
    return real(seen(path), mode);
}
