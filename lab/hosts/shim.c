/* What a kernel answers by system call and not by file: uname, the processors that a program may use, /proc/modules
 * where the real kernel has none, and of a PCI function's configuration space only the header for others than root.
 * Loaded into every program of a machine by /etc/ld.so.preload. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#define MODULES "/run/lab/kernel/modules"
#define RELEASE "/run/lab/kernel/osrelease"
#define DEVICES "/sys/bus/pci/devices"
#define UNPRIVILEGED "/run/lab/kernel/pci"
#define PROCESSORS "/run/lab/kernel/processors"
#define VERSION "/run/lab/kernel/uname-version"

/* A function that is off the bus reads all ones, whoever asks. */
static int is_silent(const char *path) {
    unsigned char first[4] = {0};
    int descriptor = syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) return 0;
    ssize_t count = read(descriptor, first, sizeof first);
    close(descriptor);
    return count == sizeof first && !memcmp(first, "\377\377\377\377", sizeof first);
}

static const char *seen(const char *path) {
    static __thread char header[64];
    char address[32];
    int end = 0;
    if (!path) return path;
    if (strcmp(path, "/proc/modules") == 0) return MODULES;
    if (sscanf(path, DEVICES "/%31[0-9a-f:.]/config%n", address, &end) == 1 && end && !path[end] && geteuid() != 0 &&
        !is_silent(path)) {
        snprintf(header, sizeof header, UNPRIVILEGED "/%s", address);
        return header;
    }
    return path;
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

static int processors(size_t size, cpu_set_t *set) {
    char text[16] = {0};
    int descriptor = openat(AT_FDCWD, PROCESSORS, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) return -1;
    ssize_t got = read(descriptor, text, sizeof text - 1);
    close(descriptor);
    int count = got > 0 ? atoi(text) : 0;
    if (count <= 0 || (size_t)count > size * 8) return -1;
    CPU_ZERO_S(size, set);
    for (int number = 0; number < count; number++) CPU_SET_S(number, size, set);
    return 0;
}

int sched_getaffinity(pid_t pid, size_t size, cpu_set_t *set) {
    static int (*real)(pid_t, size_t, cpu_set_t *);
    if (!real) real = dlsym(RTLD_NEXT, "sched_getaffinity");
    return processors(size, set) == 0 ? 0 : real(pid, size, set);
}

int pthread_getaffinity_np(pthread_t thread, size_t size, cpu_set_t *set) {
    static int (*real)(pthread_t, size_t, cpu_set_t *);
    if (!real) real = dlsym(RTLD_NEXT, "pthread_getaffinity_np");
    return processors(size, set) == 0 ? 0 : real(thread, size, set);
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

/* What programs built with _FORTIFY_SOURCE call when they do not create the file. */
int __open_2(const char *path, int flags) { return open(path, flags); }
int __open64_2(const char *path, int flags) { return open64(path, flags); }
int __openat_2(int directory, const char *path, int flags) { return openat(directory, path, flags); }
int __openat64_2(int directory, const char *path, int flags) { return openat64(directory, path, flags); }
