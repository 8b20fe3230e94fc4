/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Open files and descriptor tables. A struct file is what open(2) makes: shared by dup and by
 * threads, destroyed when the last reference goes.
 */
#pragma once

#include "abi/fcntl.h"
#include "cpu/barrier.h"
#include "file/iter.h"
#include "file/piece.h"
#include "file/poll.h"
#include "lib/types.h"
#include "sched/mutex.h"

struct file;
struct vm_backing;
struct vnode; /* fs/vnode.h; NULL for pipes, sockets and the like */
struct stat;  /* abi/stat.h */
struct dirent_sink;

/* All may sleep. NULL members give the error Linux gives (-EINVAL, -ENOTTY, -ESPIPE, -ENOTDIR,
 * -ENODEV). */
struct file_ops {
	const char *kind; /* "pipe", "socket", "anon_inode:[eventpoll]", ... for /proc/self/fd */
	/*
	 * pos: where to read/write; the caller passes &file->pos (locked) or its own. Streams
	 * ignore it. nonblocking: file->flags & O_NONBLOCK. Returns bytes or -errno; a partial
	 * result wins over an error.
	 */
	ssize_t (*read)(struct file *f, struct iter *to, int64_t *pos);
	ssize_t (*write)(struct file *f, struct iter *from, int64_t *pos);
	/*
	 * The same by reference (file/piece.h); NULL or -EOPNOTSUPP: only by copy. read_pieces: up
	 * to max pieces, n bytes together at most; how many pieces, 0 at the end of the file. They
	 * are taken out for good. write_pieces: uses up the pieces from the front as far as it
	 * takes their bytes; how many bytes. flags: PIECES_*; no pieces at all: nothing follows
	 * although PIECES_MORE said so.
	 */
	int (*read_pieces)(struct file *f, struct piece *p, unsigned max, size_t n, int64_t *pos);
	ssize_t (*write_pieces)(struct file *f, struct piece *p, unsigned count, unsigned flags);
	int64_t (*seek)(struct file *f, int64_t offset, int whence);
	bool no_position; /* lseek says 0; read and write do not look at the position */
	/* Registers with poll_wait(), then returns the POLL* bits that are true now. NULL: always
	 * ready. */
	uint32_t (*poll)(struct file *f, struct poll_table *table);
	long (*ioctl)(struct file *f, unsigned cmd, unsigned long arg);
	int (*stat)(struct file *f, struct stat *st);
	int (*truncate)(struct file *f, int64_t size);
	int (*allocate)(struct file *f, int mode, int64_t offset, int64_t len); /* fallocate */
	int (*sync)(struct file *f, bool data_only);
	int (*readdir)(struct file *f, struct dirent_sink *sink); /* fs/vnode.h */
	/* The object an mmap shows, kept by the file; -errno as pointer. *max_prot may be
	 * reduced. */
	struct vm_backing *(*mmap)(struct file *f, int flags, int *max_prot);
	/* fcntl commands that belong to the kind of file: F_SETPIPE_SZ, F_ADD_SEALS, ... */
	long (*fcntl)(struct file *f, unsigned cmd, unsigned long arg);
	/* O_NONBLOCK / O_APPEND / O_ASYNC changed; may be NULL. */
	void (*flags_changed)(struct file *f);
	void (*release)(struct file *f); /* the last reference is gone */
	/* A descriptor on it was closed (POSIX record locks, close-time events); may be NULL. */
	void (*close)(struct file *f, void *owner);
	/* A text for /proc/self/fdinfo and readlink of /proc/self/fd/N; may be NULL. */
	void (*describe)(struct file *f, char *buf, size_t size);
};

struct file {
	uint32_t refcount; /* atomic */
	uint32_t flags;	   /* O_* of open(2): access mode fixed; status flags by F_SETFL, atomic */
	const struct file_ops *ops;
	void *private;	     /* of ops */
	struct vnode *vnode; /* referenced by the fs that opened it */
	void *path;	     /* fs/: where it was opened (struct dentry), or NULL */
	int64_t pos;	     /* guarded by pos_lock */
	struct mutex pos_lock;
	struct mutex epoll_lock;      /* guards epoll_items */
	struct list_node epoll_items; /* file/epoll.c: the interest entries that watch this file */
	bool has_locks;	   /* set for good by the first lock taken through it (file/lock.c) */
	int32_t owner_pid; /* F_SETOWN */
	int32_t owner_signal;
};

/* A new file with one reference; NULL: no memory. flags: O_*. */
struct file *file_create(const struct file_ops *ops, void *private, uint32_t flags);
void file_get(struct file *f);
void file_put(struct file *f);

/* Opened for reading, for writing? An O_PATH file for neither, nor one of access mode 3. */
static inline bool file_readable(const struct file *f)
{
	return (f->flags + 1) & 1 && likely(!(f->flags & O_PATH));
}
static inline bool file_writable(const struct file *f)
{
	return (f->flags + 1) & 2 && likely(!(f->flags & O_PATH));
}

/* Descriptor table of a process: readers take no lock (the table is replaced, not grown in place).
 */
struct fdtable {
	struct fd_array {
		unsigned size; /* a multiple of 64; fixed */
		struct fd_array *older;
		uint64_t *open, *cloexec; /* bitmaps, guarded by the table's lock */
		struct file *slot[];	  /* atomic */
	} * array;			  /* atomic; replaced under lock */
	uint32_t refcount;		  /* atomic */
	struct mutex lock;
	unsigned limit;	     /* guarded by lock: RLIMIT_NOFILE */
	unsigned first_free; /* guarded by lock: no free descriptor below */
};
struct fdtable *fdtable_create(void);
struct fdtable *fdtable_copy(struct fdtable *t);
void fdtable_get(struct fdtable *t);
void fdtable_put(struct fdtable *t); /* the last one closes everything */
void fdtable_close_on_exec(struct fdtable *t);
void fdtable_set_limit(struct fdtable *t, unsigned limit); /* RLIMIT_NOFILE */

/* The file with a reference, or NULL (-EBADF). */
struct file *fd_get(struct fdtable *t, int fd);
/* The same without a reference: the caller knows that nobody closes descriptors meanwhile. */
static inline struct file *fd_peek(struct fdtable *t, int fd)
{
	struct fd_array *a = load_acquire(&t->array);

	return likely((unsigned)fd < a->size) ? load_acquire(&a->slot[(unsigned)fd]) : NULL;
}
/* Installs f (consumes the caller's reference) at the lowest free descriptor >= min. -EMFILE: not
 * consumed. */
int fd_install(struct fdtable *t, struct file *f, int min, bool cloexec);
/* dup2/dup3: closes what was there. Consumes the reference. -EBADF beyond the limit. */
int fd_install_at(struct fdtable *t, struct file *f, int fd, bool cloexec);
int fd_close(struct fdtable *t, int fd);
int fd_close_range(struct fdtable *t, unsigned first, unsigned last, bool cloexec_only);
int fd_get_cloexec(struct fdtable *t, int fd); /* 0, 1 or -EBADF */
int fd_set_cloexec(struct fdtable *t, int fd, bool on);
/* The lowest open descriptor >= fd, or -1; for /proc/self/fd. */
int fd_next(struct fdtable *t, int fd);

/* read/write helpers with all checks (access mode, limits, pos lock); for syscall/ and in-kernel
 * users. */
ssize_t file_read(struct file *f, struct iter *to);
ssize_t file_write(struct file *f, struct iter *from);
ssize_t file_pread(struct file *f, struct iter *to, int64_t pos);
ssize_t file_pwrite(struct file *f, struct iter *from, int64_t pos);

/* Makers: each returns a file with one reference or ERR_PTR. flags: O_NONBLOCK and the like. */
int pipe_create(struct file *ends[2], uint32_t flags);
struct file *eventfd_create(uint32_t initial, bool semaphore, uint32_t flags);
struct file *timerfd_create(int clockid, uint32_t flags);
struct file *epoll_create(uint32_t flags);
