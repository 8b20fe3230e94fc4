/* SPDX-License-Identifier: BSD-2-Clause */
/* UNIX stream sockets: names in the file system and abstract ones, credentials, end of file. */
#include "net.h"

int main(void)
{
	struct sockaddr_un a = { AF_UNIX, "sock" }, name;
	socklen_t len = sizeof(name);
	struct stat st;
	char buf[32] = "";
	int listener = socket(AF_UNIX, SOCK_STREAM, 0), fd = socket(AF_UNIX, SOCK_STREAM, 0);
	RET(connect(fd, (struct sockaddr *)&a, sizeof(a)));
	RET(bind(listener, (struct sockaddr *)&a, sizeof(a)));
	RET(stat("sock", &st));
	IS(S_ISSOCK(st.st_mode));
	RET(connect(fd, (struct sockaddr *)&a, sizeof(a)));
	RET(listen(listener, 2));
	RET(connect(fd, (struct sockaddr *)&a, sizeof(a)));
	int conn = accept(listener, (struct sockaddr *)&name, &len);
	printf("peer's name: family %d, len %u\n", name.sun_family == AF_UNIX, len);
	len = sizeof(name);
	RET(getsockname(conn, (struct sockaddr *)&name, &len));
	printf("%s %u\n", name.sun_path, len);
	len = sizeof(name);
	RET(getpeername(fd, (struct sockaddr *)&name, &len));
	printf("%s\n", name.sun_path);
	struct ucred cred;
	len = sizeof(cred);
	RET(getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len));
	IS(cred.pid == getpid() && cred.uid == getuid() && cred.gid == getgid());
	RET(send(fd, "over unix", 9, 0));
	RET(recv(conn, buf, 4, 0));
	RET(recv(conn, buf + 4, 20, 0));
	printf("%s\n", buf);
	RET(close(fd));
	RET(recv(conn, buf, 1, 0));
	RET(send(conn, "x", 1, MSG_NOSIGNAL));
	RET(bind(socket(AF_UNIX, SOCK_STREAM, 0), (struct sockaddr *)&a, sizeof(a)));
	RET(open("sock", O_RDWR));
	RET(unlink("sock"));
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	RET(connect(fd, (struct sockaddr *)&a, sizeof(a)));
	close(t_file("plain", ""));
	strcpy(a.sun_path, "plain");
	RET(connect(fd, (struct sockaddr *)&a, sizeof(a)));
	strcpy(a.sun_path, "absent/sock");
	RET(bind(fd, (struct sockaddr *)&a, sizeof(a)));
	/* abstract */
	memset(&a, 0, sizeof(a));
	a.sun_family = AF_UNIX;
	memcpy(a.sun_path, "\0skiff-test", 11);
	len = offsetof(struct sockaddr_un, sun_path) + 11;
	int abstract = socket(AF_UNIX, SOCK_STREAM, 0);
	RET(bind(abstract, (struct sockaddr *)&a, len));
	RET(listen(abstract, 1));
	RET(connect(fd, (struct sockaddr *)&a, len - 1));
	RET(connect(fd, (struct sockaddr *)&a, len));
	RET(close(abstract));
	printf("hang-up %x\n", net_poll(fd, POLLIN) & (POLLIN | POLLHUP));
	RET(recv(fd, buf, 1, 0));
	return 0;
}
