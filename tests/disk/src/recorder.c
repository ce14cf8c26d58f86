// A library for LD_PRELOAD in the child process of a test. It records all changes that the process makes to files below
// $DM_DISK_ROOT, and all syncs of them, in order, in the file $DM_DISK_LOG. While the file $DM_DISK_FAIL exists, some syncs
// fail with EIO and sync nothing; the last of them removes the file.
//
// A record: kind (1 byte), inode (8), offset or length (8), lengths of two texts (4 each), the texts. `event.rs` reads it.

#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static int log_fd = -1;
static const char *root, *fail;
static size_t root_length;
static pthread_mutex_t order = PTHREAD_MUTEX_INITIALIZER;

__attribute__((constructor)) static void start(void) {
    const char *path = getenv("DM_DISK_LOG");
    root = getenv("DM_DISK_ROOT");
    fail = getenv("DM_DISK_FAIL");
    if (!path || !root) return;
    root_length = strlen(root);
    log_fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

// The real function with this name.
#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

// The part of a path below the root; null if the path is not below the root.
static const char *below(const char *path) {
    if (log_fd < 0 || strncmp(path, root, root_length) != 0 || path[root_length] != '/') return NULL;
    return path + root_length + 1;
}

static const char *path_of(int fd, char *path) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, PATH_MAX - 1);
    if (length < 0) return NULL;
    path[length] = 0;
    return below(path);
}

static const char *resolve(int dir, const char *name, char *path) {
    if (log_fd < 0) return NULL;
    if (name[0] == '/') {
        snprintf(path, PATH_MAX, "%s", name);
        return below(path);
    }
    char folder[PATH_MAX];
    if (dir == AT_FDCWD) {
        if (!getcwd(folder, sizeof folder)) return NULL;
    } else {
        char link[64];
        snprintf(link, sizeof link, "/proc/self/fd/%d", dir);
        ssize_t length = readlink(link, folder, sizeof folder - 1);
        if (length < 0) return NULL;
        folder[length] = 0;
    }
    if (snprintf(path, PATH_MAX, "%s/%s", folder, name) >= PATH_MAX) return NULL;
    return below(path);
}

static void record(char kind, uint64_t inode, uint64_t number, const void *one, size_t one_length, const char *two) {
    unsigned char head[25];
    uint32_t lengths[2] = {(uint32_t)one_length, two ? (uint32_t)strlen(two) : 0};
    head[0] = (unsigned char)kind;
    memcpy(head + 1, &inode, 8);
    memcpy(head + 9, &number, 8);
    memcpy(head + 17, lengths, 8);
    struct iovec parts[3] = {
        {head, sizeof head}, {(void *)(uintptr_t)one, one_length}, {(void *)(uintptr_t)two, lengths[1]}};
    if (syscall(SYS_writev, log_fd, parts, 3) < 0) abort();
}

static uint64_t inode_of(int fd) {
    struct stat found;
    return fstat(fd, &found) == 0 ? (uint64_t)found.st_ino : 0;
}

// All functions below hold the lock from before the real call until the record is written.
#define LOCK() pthread_mutex_lock(&order)
#define UNLOCK() do { int kept = errno; pthread_mutex_unlock(&order); errno = kept; } while (0)

static int opened(int dir, const char *name, int flags, mode_t mode) {
    char path[PATH_MAX];
    if (log_fd < 0 || !(flags & O_CREAT)) return (int)syscall(SYS_openat, dir, name, flags, mode);
    LOCK();
    int was_there = syscall(SYS_faccessat, dir, name, F_OK) == 0;
    int fd = (int)syscall(SYS_openat, dir, name, flags, mode);
    if (fd >= 0) {
        const char *what = path_of(fd, path);
        if (what && !was_there) record('C', inode_of(fd), 0, what, strlen(what), NULL);
        if (what && was_there && (flags & O_TRUNC)) record('T', inode_of(fd), 0, NULL, 0, NULL);
    }
    UNLOCK();
    return fd;
}

#define MODE() ({ mode_t mode = 0; if (flags & (O_CREAT | O_TMPFILE)) { va_list rest; va_start(rest, flags); mode = va_arg(rest, mode_t); va_end(rest); } mode; })
int open(const char *name, int flags, ...) { return opened(AT_FDCWD, name, flags, MODE()); }
int open64(const char *name, int flags, ...) { return opened(AT_FDCWD, name, flags, MODE()); }
int openat(int dir, const char *name, int flags, ...) { return opened(dir, name, flags, MODE()); }
int openat64(int dir, const char *name, int flags, ...) { return opened(dir, name, flags, MODE()); }

static ssize_t written_at(int fd, const void *bytes, size_t length, off_t offset) {
    char path[PATH_MAX];
    if (!path_of(fd, path)) return syscall(SYS_pwrite64, fd, bytes, length, offset);
    LOCK();
    ssize_t done = syscall(SYS_pwrite64, fd, bytes, length, offset);
    if (done > 0) record('W', inode_of(fd), (uint64_t)offset, bytes, (size_t)done, NULL);
    UNLOCK();
    return done;
}

ssize_t pwrite(int fd, const void *bytes, size_t length, off_t offset) { return written_at(fd, bytes, length, offset); }
ssize_t pwrite64(int fd, const void *bytes, size_t length, off_t offset) { return written_at(fd, bytes, length, offset); }

ssize_t write(int fd, const void *bytes, size_t length) {
    char path[PATH_MAX];
    if (log_fd < 0 || !path_of(fd, path)) return syscall(SYS_write, fd, bytes, length);
    LOCK();
    ssize_t done = syscall(SYS_write, fd, bytes, length);
    if (done > 0) {
        off_t end = (off_t)syscall(SYS_lseek, fd, 0, SEEK_CUR);
        record('W', inode_of(fd), (uint64_t)(end - done), bytes, (size_t)done, NULL);
    }
    UNLOCK();
    return done;
}

// Only the first part that is not empty is written, as the kernel may do as well.
ssize_t writev(int fd, const struct iovec *parts, int count) {
    char path[PATH_MAX];
    if (log_fd < 0 || !path_of(fd, path)) return syscall(SYS_writev, fd, parts, count);
    for (int n = 0; n < count; n++)
        if (parts[n].iov_len > 0) return write(fd, parts[n].iov_base, parts[n].iov_len);
    return 0;
}

static int truncated(int fd, off_t length) {
    char path[PATH_MAX];
    if (!path_of(fd, path)) return (int)syscall(SYS_ftruncate, fd, length);
    LOCK();
    int result = (int)syscall(SYS_ftruncate, fd, length);
    if (result == 0) record('T', inode_of(fd), (uint64_t)length, NULL, 0, NULL);
    UNLOCK();
    return result;
}

int ftruncate(int fd, off_t length) { return truncated(fd, length); }
int ftruncate64(int fd, off_t length) { return truncated(fd, length); }

// The names in a folder with their inodes, one per line. Some libraries rename files by direct system calls, which this
// library does not see; they sync the folder afterwards.
static const char *listed(const char *path) {
    static char list[1 << 20];
    size_t length = 0;
    DIR *folder = opendir(path);
    list[0] = 0;
    if (!folder) return list;
    for (struct dirent *entry; (entry = readdir(folder));) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        int more = snprintf(list + length, sizeof list - length, "%ju %s\n", (uintmax_t)entry->d_ino, entry->d_name);
        if (more < 0 || (length += (size_t)more) >= sizeof list) abort();
    }
    closedir(folder);
    return list;
}

// Whether this sync fails. The file $DM_DISK_FAIL holds two digits: the number of syncs that succeed first, and of those that
// fail then.
static int fails_now(void) {
    char left[2];
    if (!fail) return 0;
    int fd = (int)syscall(SYS_openat, AT_FDCWD, fail, O_RDWR | O_CLOEXEC);
    if (fd < 0) return 0;
    if (syscall(SYS_read, fd, left, 2) != 2) abort();
    int now = left[0] == '0';
    left[now]--;
    if (left[1] == '0') syscall(SYS_unlinkat, AT_FDCWD, fail, 0);
    else syscall(SYS_pwrite64, fd, left, 2, 0);
    close(fd);
    return now;
}

static int synced(int fd, long call) {
    char path[PATH_MAX] = "";
    const char *what = path_of(fd, path);
    struct stat found;
    if (!what) {
        // The root itself: its path below the root is empty.
        what = log_fd >= 0 && strcmp(path, root) == 0 ? "" : NULL;
        if (!what) return (int)syscall(call, fd);
    }
    LOCK();
    int is_folder = fstat(fd, &found) == 0 && S_ISDIR(found.st_mode);
    int result;
    if (!is_folder && fails_now()) {
        record('F', found.st_ino, 0, NULL, 0, NULL);
        errno = EIO;
        result = -1;
    } else {
        result = (int)syscall(call, fd);
        if (result == 0) record(is_folder ? 'Y' : 'S', found.st_ino, 0, what, strlen(what), is_folder ? listed(path) : NULL);
    }
    UNLOCK();
    return result;
}

int fsync(int fd) { return synced(fd, SYS_fsync); }
int fdatasync(int fd) { return synced(fd, SYS_fdatasync); }

static int named(char kind, int result, const char *what) {
    if (result == 0 && what) record(kind, 0, 0, what, strlen(what), NULL);
    UNLOCK();
    return result;
}

int unlink(const char *name) {
    char path[PATH_MAX];
    LOCK();
    const char *what = resolve(AT_FDCWD, name, path);
    return named('U', REAL(unlink)(name), what);
}

int rmdir(const char *name) {
    char path[PATH_MAX];
    LOCK();
    const char *what = resolve(AT_FDCWD, name, path);
    return named('U', REAL(rmdir)(name), what);
}

int unlinkat(int dir, const char *name, int flags) {
    char path[PATH_MAX];
    LOCK();
    const char *what = resolve(dir, name, path);
    return named('U', REAL(unlinkat)(dir, name, flags), what);
}

int mkdir(const char *name, mode_t mode) {
    char path[PATH_MAX];
    LOCK();
    const char *what = resolve(AT_FDCWD, name, path);
    return named('D', REAL(mkdir)(name, mode), what);
}

static int twice(char kind, int result, const char *from, const char *to) {
    if (result == 0 && from && to) record(kind, 0, 0, from, strlen(from), to);
    UNLOCK();
    return result;
}

int rename(const char *from, const char *to) {
    char from_path[PATH_MAX], to_path[PATH_MAX];
    LOCK();
    const char *old = resolve(AT_FDCWD, from, from_path), *new = resolve(AT_FDCWD, to, to_path);
    return twice('R', REAL(rename)(from, to), old, new);
}

int link(const char *from, const char *to) {
    char from_path[PATH_MAX], to_path[PATH_MAX];
    LOCK();
    const char *old = resolve(AT_FDCWD, from, from_path), *new = resolve(AT_FDCWD, to, to_path);
    return twice('L', REAL(link)(from, to), old, new);
}

int linkat(int from_dir, const char *from, int to_dir, const char *to, int flags) {
    char from_path[PATH_MAX], to_path[PATH_MAX];
    LOCK();
    const char *old = resolve(from_dir, from, from_path), *new = resolve(to_dir, to, to_path);
    return twice('L', REAL(linkat)(from_dir, from, to_dir, to, flags), old, new);
}
