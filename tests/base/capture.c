#include "tests/base/capture.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/check.h"

void capture_begin(struct capture *capture, int fd)
{
    FILE *file = tmpfile();

    CHECK(file != NULL);
    fflush(NULL);
    capture->fd = fd;
    capture->saved = dup(fd);
    capture->file = dup(fileno(file));
    fclose(file);
    CHECK(capture->saved >= 0 && capture->file >= 0);
    CHECK(dup2(capture->file, fd) == fd);
}

char *capture_end(struct capture *capture)
{
    off_t size;
    char *text;

    fflush(NULL);
    CHECK(dup2(capture->saved, capture->fd) == capture->fd);
    size = lseek(capture->file, 0, SEEK_END);
    text = calloc((size_t)size + 1, 1);
    CHECK(text != NULL);
    CHECK(pread(capture->file, text, (size_t)size, 0) == size);
    close(capture->file);
    close(capture->saved);
    return text;
}
