/* SPDX-License-Identifier: BSD-2-Clause */
/* memfd: a file without a name; seals forbid what they say. */
#include "t.h"

int main(void)
{
	struct stat st;
	int fd = memfd_create("box", MFD_ALLOW_SEALING | MFD_CLOEXEC);
	NEED(fd >= 0);
	IS(fcntl(fd, F_GETFD) == FD_CLOEXEC);
	RET(write(fd, "contents", 8));
	RET(fstat(fd, &st));
	printf("size %ld regular %d links %ld\n", (long)st.st_size, S_ISREG(st.st_mode),
		(long)st.st_nlink);
	char *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	printf("%.8s\n", p);
	RET(fcntl(fd, F_GET_SEALS));
	RET(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW));
	RET(fcntl(fd, F_GET_SEALS));
	RET(pwrite(fd, "more", 4, 8));
	RET(pwrite(fd, "CON", 3, 0));
	RET(ftruncate(fd, 100));
	RET(ftruncate(fd, 4));
	RET(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK));
	RET(ftruncate(fd, 2));
	RET(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
	RET(munmap(p, PAGE));
	RET(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
	RET(pwrite(fd, "x", 1, 0));
	GET(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
	GET(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0));
	RET(fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL));
	RET(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW));
	RET(fcntl(fd, F_GET_SEALS));
	int plain = memfd_create("plain", 0);
	RET(fcntl(plain, F_GET_SEALS));
	RET(fcntl(plain, F_ADD_SEALS, F_SEAL_WRITE));
	RET(memfd_create("x", 0x8000));
	RET(memfd_create(BAD_PTR, 0));
	char name[300];
	memset(name, 'n', sizeof(name));
	name[249] = 0;
	GET(memfd_create(name, 0));
	name[249] = 'n';
	name[250] = 0;
	RET(memfd_create(name, 0));
	return 0;
}
