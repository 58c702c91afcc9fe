// Counts the operations that change files under a folder; at a chosen one it kills the process group or begins to fail.
// Loaded with LD_PRELOAD, so that it sees what Python, Arrow and every other library ask of the C library. Linux only.
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace {

// Shared with the children of the process that has loaded this: it reads what they did.
struct Faults {
  long operations;    // so far
  long at;            // the one where the fault is, from 1; 0 for none
  int error;          // an errno: it and all later ones fail with it; 0 for a kill
  char root[4096];    // the folder; empty while nothing is counted
  char last[4200];    // the last operation: its name, a space, its path
};

Faults* faults = nullptr;

enum Fate { kGoesOn, kBegins, kFails };

bool IsUnderRoot(const char* path) {
  // The working folder of a stage is the root.
  if (path[0] != '/') return strncmp(path, "..", 2) != 0;
  const size_t length = strlen(faults->root);
  return strncmp(path, faults->root, length) == 0 && (path[length] == '/' || !path[length]);
}

Fate Meet(const char* name, const char* path) {
  if (!faults || !faults->root[0] || !IsUnderRoot(path)) return kGoesOn;
  const long number = __atomic_add_fetch(&faults->operations, 1, __ATOMIC_SEQ_CST);
  snprintf(faults->last, sizeof faults->last, "%s %s", name, path);
  if (!faults->at || number < faults->at) return kGoesOn;
  const bool frees = !strcmp(name, "unlink") || !strcmp(name, "rmdir") || !strcmp(name, "rename");
  if (faults->error == ENOSPC && frees) return kGoesOn;
  return number == faults->at ? kBegins : kFails;
}

void Die() {
  kill(0, SIGKILL);
  for (;;) pause();
}

// Whether the operation has to fail; errno is set.
bool Fails(const char* name, const char* path) {
  const Fate fate = Meet(name, path);
  if (fate == kGoesOn) return false;
  if (!faults->error) Die();
  errno = faults->error;
  return true;
}

const char* PathOf(int descriptor, char* buffer, size_t size) {
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
  const ssize_t length = readlink(link, buffer, size - 1);
  buffer[length < 0 ? 0 : length] = 0;
  return buffer[0] == '/' ? buffer : "/";  // A pipe has no path.
}

template <typename Function>
Function Next(const char* name) {
  return reinterpret_cast<Function>(dlsym(RTLD_NEXT, name));
}

// The path of an operation relative to an open folder.
bool FailsAt(const char* name, int folder, const char* path) {
  char buffer[4096];
  return Fails(name, path[0] == '/' || folder == AT_FDCWD ? path : PathOf(folder, buffer, sizeof buffer));
}

// A write that meets its fault writes one half: a disk is full in the middle of a buffer, and a kill comes there too.
template <typename Write>
ssize_t Half(int descriptor, size_t size, Write write) {
  char buffer[4096];
  const Fate fate = Meet("write", PathOf(descriptor, buffer, sizeof buffer));
  if (fate == kGoesOn) return write(size);
  if (fate == kBegins && size > 1) {
    const ssize_t written = write(size / 2);
    if (faults->error) return written;
  }
  if (!faults->error) Die();
  errno = faults->error;
  return -1;
}

constexpr int kChanges = O_WRONLY | O_RDWR | O_CREAT | O_TRUNC;

}  // namespace

extern "C" {

__attribute__((constructor)) void prepare_faults() {
  void* page = mmap(nullptr, sizeof(Faults), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (page != MAP_FAILED) faults = static_cast<Faults*>(page);
}

Faults* shared_faults() { return faults; }

#define OPEN(name)                                                                       \
  int name(const char* path, int flags, ...) {                                           \
    va_list more;                                                                        \
    va_start(more, flags);                                                               \
    const mode_t mode = flags & O_CREAT ? va_arg(more, mode_t) : 0;                      \
    va_end(more);                                                                        \
    if (flags & kChanges && Fails("open", path)) return -1;                              \
    return Next<int (*)(const char*, int, ...)>(#name)(path, flags, mode);               \
  }
#define OPEN_AT(name)                                                                    \
  int name(int folder, const char* path, int flags, ...) {                               \
    va_list more;                                                                        \
    va_start(more, flags);                                                               \
    const mode_t mode = flags & O_CREAT ? va_arg(more, mode_t) : 0;                      \
    va_end(more);                                                                        \
    if (flags & kChanges && FailsAt("open", folder, path)) return -1;                    \
    return Next<int (*)(int, const char*, int, ...)>(#name)(folder, path, flags, mode);  \
  }
OPEN(open)
OPEN(open64)
OPEN_AT(openat)
OPEN_AT(openat64)

ssize_t write(int descriptor, const void* data, size_t size) {
  static const auto next = Next<ssize_t (*)(int, const void*, size_t)>("write");
  return Half(descriptor, size, [&](size_t part) { return next(descriptor, data, part); });
}

ssize_t pwrite64(int descriptor, const void* data, size_t size, off64_t place) {
  static const auto next = Next<ssize_t (*)(int, const void*, size_t, off64_t)>("pwrite64");
  return Half(descriptor, size, [&](size_t part) { return next(descriptor, data, part, place); });
}

size_t fwrite(const void* data, size_t size, size_t count, FILE* stream) {
  static const auto next = Next<size_t (*)(const void*, size_t, size_t, FILE*)>("fwrite");
  const ssize_t written = Half(fileno(stream), count, [&](size_t part) {
    const size_t done = next(data, size, part, stream);
    fflush(stream);
    return static_cast<ssize_t>(done);
  });
  return written < 0 ? 0 : written;
}

int ftruncate64(int descriptor, off64_t size) {
  char buffer[4096];
  if (Fails("truncate", PathOf(descriptor, buffer, sizeof buffer))) return -1;
  return Next<int (*)(int, off64_t)>("ftruncate64")(descriptor, size);
}

int rename(const char* from, const char* to) {
  return Fails("rename", to) ? -1 : Next<int (*)(const char*, const char*)>("rename")(from, to);
}

int mkdir(const char* path, mode_t mode) {
  return Fails("mkdir", path) ? -1 : Next<int (*)(const char*, mode_t)>("mkdir")(path, mode);
}

int rmdir(const char* path) { return Fails("rmdir", path) ? -1 : Next<int (*)(const char*)>("rmdir")(path); }

int unlink(const char* path) { return Fails("unlink", path) ? -1 : Next<int (*)(const char*)>("unlink")(path); }

int unlinkat(int folder, const char* path, int flags) {
  if (FailsAt(flags & AT_REMOVEDIR ? "rmdir" : "unlink", folder, path)) return -1;
  return Next<int (*)(int, const char*, int)>("unlinkat")(folder, path, flags);
}
}
