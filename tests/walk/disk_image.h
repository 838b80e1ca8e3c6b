/*
 * disk_image - what would be on the disk if the power went now.
 *
 * Of each file: its bytes as of its last sync, and what was written and truncated since; of the
 * folder: which names it had at its last sync, and which came and went since. A cut keeps a random
 * part of what was not synced: writes torn at sectors of 512 bytes, names in their order. The
 * shared memory of a write-ahead log (-shm) does not outlive the power.
 */
#ifndef TESTS_WALK_DISK_IMAGE_H
#define TESTS_WALK_DISK_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Takes what is in the folder as synced. */
void image_begin(const char *folder);
/* The file of this name; made if create. -1: none. */
int image_open(const char *path, bool create);
void image_write(int file, const void *bytes, size_t len, int64_t at);
void image_truncate(int file, int64_t len);
void image_remove(const char *path);
void image_sync(int file);
void image_sync_names(void);
/* Writes the files that survive into the folder `to`. */
void image_cut(const char *to, uint64_t seed, bool lazy_names);

#endif
