/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * execve: the new image is built whole in an address space of its own while the old one stands, so
 * every error until then simply returns. Then the other tasks end and the process moves over:
 *
 *	resolve scripts > read headers > map program, interpreter, vDSO, stack > [no more errors]
 *	end other tasks > swap spaces > reset what exec resets > registers
 */

#include "process/impl.h"
#include "abi/auxv.h"
#include "abi/errno.h"
#include "abi/fcntl.h"
#include "abi/mman.h"
#include "abi/resource.h"
#include "abi/stat.h"
#include "cpu/context.h"
#include "cpu/io.h"
#include "cpu/uaccess.h"
#include "lib/bug.h"
#include "lib/string.h"
#include "mem/heap.h"
#include "process/elf.h"
#include "process/stack.h"
#include "sched/random.h"
#include "skiff.h"

#define SCRIPT_LINE  256 /* what Linux looks at */
#define SCRIPT_DEPTH 5
#define PATH_SIZE    4096

/* Where Linux puts things: a PIE two thirds up, the stack at the top, the break behind the program.
 */
#define PIE_BASE	   0x555555554000ul
#define PIE_RANDOM_PAGES   (1ul << 28)
#define STACK_TOP	   USER_MAX
#define STACK_RANDOM_PAGES (1ul << 22)
#define BRK_RANDOM_PAGES   (1ul << 13)
#define STACK_FIRST_MAP	   KIB(128)
#define ARGS_MIN	   KIB(128)
#define ARGS_MAX	   MIB(6)

/* A file that is an ELF program. */
struct program {
	struct file *file;
	struct elf64_ehdr header;
	struct elf64_phdr *phdrs;
	struct elf_image image;
	uintptr_t base; /* added to the file's addresses */
};

struct exec {
	struct file *at; /* execveat: path is relative to it, or empty when it is the program */
	const char *path;
	const char *name; /* as the program is told it: AT_EXECFN */
	char *const *argv, *const *envp;
	char **script_argv;		 /* ours, replaces argv */
	char *script_line[SCRIPT_DEPTH]; /* what script_argv points into */
	unsigned depth;
	struct program main, interp;
	struct vm_space *vm;
	struct stack_layout stack;
	uintptr_t gates; /* where vdso_map put them */
	uint64_t auxv[48];
};

static uint64_t random_below(uint64_t n)
{
	uint64_t r;

	random_bytes(&r, sizeof(r));
	return r % n;
}

/* ---- files ---- */

static ssize_t read_at(struct file *f, void *buf, size_t n, uint64_t offset)
{
	size_t done = 0;

	while (done < n) {
		struct iter it;
		ssize_t got;

		iter_init_one(&it, (char *)buf + done, n - done, false);
		got = file_pread(f, &it, offset + done);
		if (got < 0)
			return got;
		if (got == 0)
			break;
		done += got;
	}
	return done;
}

static struct file *open_executable(struct dentry *start, const char *path)
{
	struct path_context c = process_path_context();
	struct stat st;
	int err;

	if (!*path)
		return ERR_PTR(-ENOENT);
	err = fs_stat(&c, start, path, WALK_FOLLOW, &st);
	if (err)
		return ERR_PTR(err);
	if (!S_ISREG(st.st_mode))
		return ERR_PTR(-EACCES);
	err = fs_access(&c, start, path, 1 /* X_OK */, WALK_FOLLOW);
	if (err)
		return ERR_PTR(err);
	return fs_open(&c, start, path, O_RDONLY, 0);
}

/* An open file as the program (fexecve): it needs no name any more. With a reference. */
static struct file *check_executable(struct file *f)
{
	struct stat st;
	char *path;
	ssize_t len;
	int err;

	if (f->flags & O_PATH) { /* cannot be read: open what it stands for */
		path = heap_alloc(PATH_SIZE);
		if (!path)
			return ERR_PTR(-ENOMEM);
		len = file_dentry(f) ? dentry_path(file_dentry(f), path, PATH_SIZE) : -EACCES;
		f = len < 0 ? ERR_PTR(len) : open_executable(NULL, path);
		heap_free(path);
		return f;
	}
	err = f->ops->stat ? f->ops->stat(f, &st) : -EACCES;
	if (err)
		return ERR_PTR(err);
	if (!S_ISREG(st.st_mode) || !(st.st_mode & 0111))
		return ERR_PTR(-EACCES);
	file_get(f);
	return f;
}

static struct file *exec_open_first(struct exec *e)
{
	if (!e->at)
		return open_executable(NULL, e->path);
	if (!*e->path)
		return check_executable(e->at);
	if (!file_dentry(e->at))
		return ERR_PTR(-ENOTDIR);
	return open_executable(file_dentry(e->at), e->path);
}

static void program_close(struct program *p)
{
	heap_free(p->phdrs);
	if (p->file)
		file_put(p->file);
	p->phdrs = NULL;
	p->file = NULL;
}

/* Consumes f, on failure too. */
static int program_read(struct program *p, struct file *f)
{
	size_t size;
	ssize_t got;
	int err;

	p->file = f;
	got = read_at(f, &p->header, sizeof(p->header), 0);
	if (got < 0)
		return got;
	err = elf_check_header(&p->header, got);
	if (err)
		return err;
	size = p->header.e_phnum * sizeof(struct elf64_phdr);
	p->phdrs = heap_alloc(size);
	if (!p->phdrs)
		return -ENOMEM;
	got = read_at(f, p->phdrs, size, p->header.e_phoff);
	if (got != (ssize_t)size)
		return got < 0 ? got : -ENOEXEC;
	return elf_parse(&p->header, p->phdrs, &p->image);
}

static unsigned argv_count(char *const *v)
{
	unsigned n = 0;

	while (v[n])
		n++;
	return n;
}

/* argv becomes: interpreter, its argument if any, the script's path, argv[1]... */
static int script_push(struct exec *e, char *interp, char *arg, const char *script)
{
	unsigned n = argv_count(e->argv), at = 0;
	char **v = heap_alloc((n + 4) * sizeof(*v));

	if (!v)
		return -ENOMEM;
	v[at++] = interp;
	if (arg)
		v[at++] = arg;
	v[at++] = (char *)script;
	for (unsigned i = 1; i < n; i++)
		v[at++] = e->argv[i];
	v[at] = NULL;
	heap_free(e->script_argv);
	e->script_argv = v;
	e->argv = v;
	return 0;
}

/* Opens e->path, or what its #! line names, and so on; leaves an ELF program in e->main. */
static int exec_resolve(struct exec *e)
{
	const char *path = e->name;
	struct file *f = exec_open_first(e);

	for (;;) {
		char *line, *interp, *arg;
		ssize_t got;
		int err;

		if (IS_ERR(f))
			return PTR_ERR(f);
		line = heap_alloc_zeroed(SCRIPT_LINE);
		if (!line) {
			file_put(f);
			return -ENOMEM;
		}
		got = read_at(f, line, SCRIPT_LINE, 0);
		if (got < 2 || line[0] != '#' || line[1] != '!') {
			heap_free(line);
			return program_read(&e->main, f);
		}
		file_put(f);
		if (e->depth == SCRIPT_DEPTH) {
			heap_free(line);
			return -ELOOP;
		}
		e->script_line[e->depth++] = line;
		err = script_parse(line, SCRIPT_LINE, &interp, &arg);
		if (!err)
			err = script_push(e, interp, arg, path);
		if (err)
			return err;
		path = interp;
		f = open_executable(NULL, path);
	}
}

static int exec_open_interp(struct exec *e)
{
	const struct elf_image *image = &e->main.image;
	struct file *f;
	char *path;
	ssize_t got;
	int err;

	if (!image->interp_size)
		return 0;
	path = heap_alloc(image->interp_size);
	if (!path)
		return -ENOMEM;
	got = read_at(e->main.file, path, image->interp_size, image->interp_offset);
	if (got != (ssize_t)image->interp_size || path[got - 1] != '\0') {
		heap_free(path);
		return got < 0 ? got : -ENOEXEC;
	}
	f = open_executable(NULL, path);
	heap_free(path);
	if (IS_ERR(f))
		return PTR_ERR(f);
	err = program_read(&e->interp, f);
	return err == -ENOEXEC ? -ELIBBAD : err;
}

/* ---- mapping ---- */

static int map_segment(struct exec *e, const struct program *p, const struct elf_segment *s)
{
	uintptr_t start = p->base + s->start, file_end = p->base + s->file_end,
		  end = p->base + s->end;
	uintptr_t anon = ALIGN_UP(file_end, PAGE_SIZE);
	int max_prot = PROT_READ | PROT_WRITE | PROT_EXEC;
	intptr_t at;

	if (file_end > start) {
		struct vm_backing *b;

		if (!p->file->ops->mmap)
			return -EACCES;
		b = p->file->ops->mmap(p->file, MAP_PRIVATE, &max_prot);
		if (IS_ERR(b))
			return PTR_ERR(b);
		at = vm_mmap(e->vm, start, anon - start, s->prot, MAP_PRIVATE | MAP_FIXED, b,
			s->offset, max_prot);
		if (at < 0)
			return at;
		/* To the end of the page, as Linux does: ld.so allocates behind its own .bss. */
		if (end > file_end && anon > file_end && (s->prot & PROT_WRITE) &&
			clear_user((void *)file_end, anon - file_end))
			return -EFAULT;
	}
	if (ALIGN_UP(end, PAGE_SIZE) > anon) {
		at = vm_mmap(e->vm, anon, ALIGN_UP(end, PAGE_SIZE) - anon, s->prot,
			MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS, NULL, 0,
			PROT_READ | PROT_WRITE | PROT_EXEC);
		if (at < 0)
			return at;
	}
	return 0;
}

static int map_program(struct exec *e, struct program *p)
{
	struct elf_segment s;

	if (p->base + p->image.end > USER_MAX || p->base + p->image.end < p->base)
		return -ENOMEM;
	for (unsigned i = 0; i < p->header.e_phnum; i++) {
		int err = elf_segment(&p->phdrs[i], &s) ? map_segment(e, p, &s) : 0;

		if (err)
			return err;
	}
	return 0;
}

/* A hole that the whole of a shared object fits in: the space is ours alone, so it stays free. */
static intptr_t find_base(struct exec *e, const struct elf_image *image)
{
	size_t size = image->end - image->start + image->align;
	intptr_t at =
		vm_mmap(e->vm, 0, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
			NULL, 0, PROT_READ | PROT_WRITE | PROT_EXEC);

	if (at < 0)
		return at;
	(void)vm_munmap(e->vm, at, size);
	return ALIGN_UP((uintptr_t)at, image->align) - image->start;
}

static int map_images(struct exec *e)
{
	int err;

	if (e->main.image.position_independent)
		e->main.base = ALIGN_DOWN(PIE_BASE + random_below(PIE_RANDOM_PAGES) * PAGE_SIZE,
				       e->main.image.align) -
			       e->main.image.start;
	err = map_program(e, &e->main);
	if (err || !e->interp.file)
		return err;
	if (e->interp.image.position_independent) {
		intptr_t base = find_base(e, &e->interp.image);

		if (base < 0)
			return base;
		e->interp.base = base;
	}
	return map_program(e, &e->interp);
}

/* ---- auxv and stack ---- */

static void aux(uint64_t **p, uint64_t type, uint64_t value)
{
	*(*p)++ = type;
	*(*p)++ = value;
}

#define CR4_FSGSBASE	(1 << 16)
#define HWCAP2_FSGSBASE (1 << 1)

static void exec_auxv(struct exec *e, const struct process *p, uintptr_t vdso)
{
	const struct elf_image *image = &e->main.image;
	uint64_t *a = e->auxv;

	if (vdso)
		aux(&a, AT_SYSINFO_EHDR, vdso);
	if (e->gates)
		aux(&a, AT_SKIFF, e->gates);
	aux(&a, AT_HWCAP, cpuid(1, 0).edx);
	aux(&a, AT_PAGESZ, PAGE_SIZE);
	aux(&a, AT_CLKTCK, 100);
	aux(&a, AT_PHDR, image->phdr ? e->main.base + image->phdr : 0);
	aux(&a, AT_PHENT, sizeof(struct elf64_phdr));
	aux(&a, AT_PHNUM, e->main.header.e_phnum);
	aux(&a, AT_BASE, e->interp.file ? e->interp.base + e->interp.image.start : 0);
	aux(&a, AT_FLAGS, 0);
	aux(&a, AT_ENTRY, e->main.base + image->entry);
	aux(&a, AT_UID, p->cred.uid);
	aux(&a, AT_EUID, p->cred.euid);
	aux(&a, AT_GID, p->cred.gid);
	aux(&a, AT_EGID, p->cred.egid);
	aux(&a, AT_SECURE, 0);
	aux(&a, AT_RANDOM, 0);
	aux(&a, AT_HWCAP2, read_cr4() & CR4_FSGSBASE ? HWCAP2_FSGSBASE : 0);
	aux(&a, AT_EXECFN, 0);
	aux(&a, AT_PLATFORM, 0);
	aux(&a, AT_MINSIGSTKSZ, frame_min_stack());
	aux(&a, AT_NULL, 0);
	BUG_ON(a > e->auxv + ARRAY_SIZE(e->auxv));
}

static int put_stack(void *ctx, uintptr_t addr, const void *data, size_t len)
{
	return copy_to_user((void *)addr, data, len);
}

static int exec_stack(struct exec *e, struct process *p, uintptr_t vdso)
{
	uintptr_t top = STACK_TOP - random_below(STACK_RANDOM_PAGES) * PAGE_SIZE;
	uint64_t limit = p->rlimit[RLIMIT_STACK].soft;
	int prot = PROT_READ | PROT_WRITE | (e->main.image.stack == ELF_STACK_EXEC ? PROT_EXEC : 0);
	struct stack_spec spec = {
		.top = top,
		.argv = e->argv,
		.envp = e->envp,
		.execfn = e->name,
		.platform = "x86_64",
		.slack = random_below(8192),
		.limit = MIN(MAX(limit / 4, ARGS_MIN), ARGS_MAX),
		.auxv = e->auxv,
		.put = put_stack,
	};
	ssize_t args = stack_size(&spec);
	size_t size;
	intptr_t at;

	if (args < 0)
		return args;
	random_bytes(spec.random, sizeof(spec.random));
	exec_auxv(e, p, vdso);
	size = ALIGN_UP(args + KIB(16), PAGE_SIZE);
	if (size > limit)
		return -E2BIG;
	size = ALIGN_UP(MIN(size + STACK_FIRST_MAP, limit), PAGE_SIZE);
	at = vm_mmap(e->vm, top - size, size, prot,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_GROWSDOWN | MAP_STACK, NULL, 0,
		PROT_READ | PROT_WRITE | PROT_EXEC);
	if (at < 0)
		return at;
	vm_area_name(e->vm, at, "[stack]");
	return stack_build(&spec, &e->stack);
}

/* Everything into e->vm, which is the running thread's space meanwhile. */
static int exec_map(struct exec *e, struct process *p)
{
	uintptr_t brk;
	intptr_t vdso;
	int err;

	vm_set_limits(e->vm, p->rlimit[RLIMIT_AS].soft, p->rlimit[RLIMIT_DATA].soft,
		p->rlimit[RLIMIT_STACK].soft);
	err = map_images(e);
	if (err)
		return err;
	vdso = vdso_map(e->vm, &e->gates);
	if (vdso < 0)
		return vdso;
	err = exec_stack(e, p, vdso);
	if (err)
		return err;
	brk = ALIGN_UP(e->main.base + e->main.image.brk, PAGE_SIZE);
	vm_set_brk_start(e->vm, brk + random_below(BRK_RANDOM_PAGES) * PAGE_SIZE);
	return 0;
}

static void use_space(struct vm_space *s)
{
	vm_set_current(s);
	if (s)
		thread_set_root(vm_space_root(s));
}

/* ---- the step over ---- */

/* Ends every other task. -EAGAIN: another task got here first, or the process is ending. */
static int end_other_tasks(struct process *p, struct task *t)
{
	bool ours;

	mutex_lock(&p->signal_lock);
	ours = !p->group_exit && !p->exec_task;
	if (ours) {
		p->exec_task = t;
		task_wake_others(p);
		condvar_wake_all(&p->going_on, &p->signal_lock);
	}
	mutex_unlock(&p->signal_lock);
	if (!ours)
		return -EAGAIN;
	wait_event(&p->exit_wait, load_acquire(&p->task_count) == 1);
	if (t->thread.id != p->pid)
		process_rename_task(t, p->pid);
	mutex_lock(&p->signal_lock);
	p->exec_task = NULL;
	mutex_unlock(&p->signal_lock);
	return 0;
}

static void record_image(struct process *p, const struct exec *e)
{
	const struct elf_image *i = &e->main.image;
	struct dentry *old = p->exe, *exe = file_dentry(e->main.file);

	mutex_lock(&p->lock);
	if (exe)
		dentry_get(exe);
	p->exe = exe;
	p->arg_start = e->stack.arg_start;
	p->arg_end = e->stack.arg_end;
	p->env_start = e->stack.env_start;
	p->env_end = e->stack.env_end;
	p->stack_start = e->stack.sp;
	p->code_start = e->main.base + i->code_start;
	p->code_end = e->main.base + i->code_end;
	p->data_start = e->main.base + i->data_start;
	p->data_end = e->main.base + i->data_end;
	memcpy(p->auxv, e->auxv, sizeof(p->auxv));
	p->auxv_count = e->stack.auxv_words;
	p->vm = e->vm;
	p->gates = e->gates;
	mutex_unlock(&p->lock);
	if (old)
		dentry_put(old);
}

static void exec_commit(struct exec *e, struct process *p, struct task *t)
{
	struct vm_space *old = p->vm;
	const struct program *first = e->interp.file ? &e->interp : &e->main;
	const char *name = strrchr(e->name, '/');

	record_image(p, e);
	if (old)
		vm_space_put(old);
	fdtable_close_on_exec(p->fds);
	signal_reset_for_exec(p);
	timers_exec(p);
	t->clear_child_tid = t->set_child_tid = NULL;
	t->robust_list = NULL;
	t->rseq = 0;
	t->thread.told_cpu = 0;
	t->restart.fn = NULL;
	p->dumpable = 1;
	p->keep_caps = false;
	str_copy(t->thread.name, name ? name + 1 : e->name, sizeof(t->thread.name));
	cpu_fpu_init_area(t->fpu_bounce);
	(void)cpu_fpu_restore(t->fpu_bounce); /* our own image: cannot be refused */
	cpu_set_fs_base(0);
	cpu_set_gs_base(0);
	frame_init(task_frame(t), first->base + first->image.entry, e->stack.sp);
}

static void exec_free(struct exec *e)
{
	program_close(&e->main);
	program_close(&e->interp);
	heap_free(e->script_argv);
	for (unsigned i = 0; i < e->depth; i++)
		heap_free(e->script_line[i]);
	heap_free(e);
}

int process_exec(const struct exec_request *r)
{
	static char *const no_arguments[] = { (char *)"", NULL };
	struct task *t = task_current();
	struct process *p = t->process;
	struct exec *e = heap_alloc_zeroed(sizeof(*e));
	int err;

	if (!e)
		return -ENOMEM;
	e->at = r->at;
	e->path = r->path;
	e->name = r->name;
	e->argv = r->argv[0] ? r->argv : no_arguments;
	e->envp = r->envp;
	err = exec_resolve(e);
	if (!err)
		err = exec_open_interp(e);
	if (!err && !(e->vm = vm_space_create()))
		err = -ENOMEM;
	if (err)
		goto out;
	use_space(e->vm);
	err = exec_map(e, p);
	if (!err)
		err = end_other_tasks(p, t);
	if (err) {
		use_space(p->vm);
		vm_space_put(e->vm);
		goto out;
	}
	exec_commit(e, p, t);
out:
	exec_free(e);
	return err;
}
