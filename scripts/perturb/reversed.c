/* readdir that gives the names of each folder in the reverse order; scandir(3) and Python's os.scandir go through it. */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct folder {
    DIR *stream;
    struct dirent64 *names;
    size_t left;
    struct folder *next;
};

static struct folder *folders;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static struct folder **find(DIR *stream) {
    struct folder **at = &folders;
    while (*at && (*at)->stream != stream)
        at = &(*at)->next;
    return at;
}

static void forget(DIR *stream) {
    struct folder **at = find(stream), *gone = *at;
    if (gone) {
        *at = gone->next;
        free(gone->names);
        free(gone);
    }
}

struct dirent64 *readdir64(DIR *stream) {
    static struct dirent64 *(*real)(DIR *);
    if (!real)
        real = (struct dirent64 * (*)(DIR *)) dlsym(RTLD_NEXT, "readdir64");
    pthread_mutex_lock(&lock);
    struct folder *folder = *find(stream);
    if (!folder) {
        folder = calloc(1, sizeof *folder);
        folder->stream = stream;
        folder->next = folders;
        folders = folder;
        struct dirent64 *entry;
        size_t room = 0;
        while ((entry = real(stream))) {
            if (folder->left == room) {
                room = room ? 2 * room : 64;
                folder->names = realloc(folder->names, room * sizeof *folder->names);
            }
            memcpy(&folder->names[folder->left++], entry, entry->d_reclen);
        }
    }
    struct dirent64 *found = folder->left ? &folder->names[--folder->left] : NULL;
    pthread_mutex_unlock(&lock);
    return found;
}

struct dirent *readdir(DIR *stream) {
    return (struct dirent *) readdir64(stream); /* the same form on 64-bit machines */
}

void rewinddir(DIR *stream) {
    void (*real)(DIR *) = (void (*)(DIR *)) dlsym(RTLD_NEXT, "rewinddir");
    pthread_mutex_lock(&lock);
    forget(stream);
    pthread_mutex_unlock(&lock);
    real(stream);
}

int closedir(DIR *stream) {
    int (*real)(DIR *) = (int (*)(DIR *)) dlsym(RTLD_NEXT, "closedir");
    pthread_mutex_lock(&lock);
    forget(stream);
    pthread_mutex_unlock(&lock);
    return real(stream);
}
