/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The byte queue behind pipes and FIFOs. An object lives while something refers to it: its open
 * ends, and for a FIFO the vnode.
 */
#pragma once

#include "file/file.h"

struct pipe;

struct pipe *pipe_object_create(void); /* one reference; NULL: no memory */
void pipe_object_get(struct pipe *p);
void pipe_object_put(struct pipe *p);
/* Opens an end of a FIFO as fifo(7) says: may wait for the other side (-ERESTARTSYS), -ENXIO.
 * ERR_PTR. */
struct file *pipe_object_open(struct pipe *p, uint32_t flags);
bool file_is_pipe(const struct file *f);
/* SIGPIPE to the running thread, set by syscall/: it comes with -EPIPE, and also when the last
 * reader goes after a write has put in a part. */
extern void (*pipe_sigpipe)(void);

/*
 * To pass on what is in a pipe: up to PIECES_MAX pieces of n bytes together, 0 at the end of the
 * file, -EAGAIN, -ERESTARTSYS. Until pipe_pass_end, which puts back what is left of them, nobody
 * else reads. Only after a count > 0.
 */
int pipe_pass_begin(struct file *f, struct piece *out, size_t n, bool nonblock);
void pipe_pass_end(struct file *f, struct piece *rest, unsigned count);
/* Until there is room for a piece, or who reads is gone: 0, -EPIPE (with SIGPIPE), -EAGAIN if it
 * may not wait, -ERESTARTSYS. */
int pipe_wait_room(struct file *f, bool nonblock);
unsigned pipe_room(const struct file *f); /* pieces that it has room for now */

/*
 * tee(2): up to n bytes of one pipe into another as well, by reference. 0 at end of file;
 * -EAGAIN when there is nothing (or no room) now and it may not wait; -EPIPE, -ERESTARTSYS.
 */
ssize_t pipe_tee_wait(struct file *from, struct file *to, size_t n, bool nonblock);
