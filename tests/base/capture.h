/* capture - what a function prints on stdout or stderr, as a text. */
#ifndef TESTS_BASE_CAPTURE_H
#define TESTS_BASE_CAPTURE_H

#include <stddef.h>

struct capture {
    int fd, saved, file; /* fd: 1 or 2 */
};

void capture_begin(struct capture *capture, int fd);
/* Puts the stream back and returns what came (free()), NUL-terminated. */
char *capture_end(struct capture *capture);

#endif
