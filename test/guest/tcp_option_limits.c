/* SPDX-License-Identifier: BSD-2-Clause */
/* Every number that TCP's options take: what is refused, and what the accepted ones read back as.
 */
#include "net.h"

static void try(int fd, const char *what, int name, const int *values, int n)
{
	for (int k = 0; k < n; k++) {
		int v = values[k], got = -77;
		socklen_t len = sizeof(got);
		int r = setsockopt(fd, IPPROTO_TCP, name, &v, sizeof(v)) ? errno : 0;
		int g = getsockopt(fd, IPPROTO_TCP, name, &got, &len) ? errno : 0;

		printf("%s %d: %s, then %s %d\n", what, v, r ? strerrorname_np(r) : "ok",
			g ? strerrorname_np(g) : "ok", got);
	}
}
#define TRY(fd, name, ...)                                                                         \
	do {                                                                                       \
		const int v[] = { __VA_ARGS__ };                                                   \
		try(fd, #name, name, v, sizeof(v) / sizeof(v[0]));                                 \
	} while (0)

static void congestion(int fd, const char *name)
{
	char got[16] = "";
	socklen_t len = sizeof(got);

	RET(setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, strlen(name)));
	getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, got, &len);
	printf("now %s, %d bytes\n", got, (int)len);
}

static void all(int fd)
{
	TRY(fd, TCP_NODELAY, 1, 5, -1, 0);
	TRY(fd, TCP_CORK, 1, 7, 0);
	TRY(fd, TCP_KEEPIDLE, 0, 1, 32767, 32768, -1);
	TRY(fd, TCP_KEEPINTVL, 0, 1, 32767, 32768, -1);
	TRY(fd, TCP_KEEPCNT, 0, 1, 127, 128, -1);
	TRY(fd, TCP_SYNCNT, 0, 1, 127, 128, -1);
	TRY(fd, TCP_LINGER2, 1, 60, 0, 119, -1);
	TRY(fd, TCP_DEFER_ACCEPT, 1, 2, 5, 7, 8, 100, 1000, 0, -1);
	TRY(fd, TCP_USER_TIMEOUT, 0, 1, 1000000, -1);
	TRY(fd, TCP_NOTSENT_LOWAT, 1, 16384, 0);
	TRY(fd, TCP_THIN_LINEAR_TIMEOUTS, 0, 2, -1);
	TRY(fd, TCP_THIN_DUPACK, 0, 2, -1);
}

int main(void)
{
	int p[2], fd = socket(AF_INET, SOCK_STREAM, 0);
	struct tcp_info info;
	socklen_t len = sizeof(info);

	puts("not connected");
	all(fd);
	TRY(fd, TCP_MAXSEG, 87, 88, 500, 32767, 32768, -1);
	TRY(fd, TCP_WINDOW_CLAMP, 5000, 1, 0);
	RET(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len));
	printf("state %d, cwnd %u\n", info.tcpi_state, info.tcpi_snd_cwnd);
	puts("listening");
	RET(listen(fd, 7));
	all(fd);
	len = sizeof(info);
	RET(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len));
	printf("state %d, waiting %u of %u\n", info.tcpi_state, info.tcpi_unacked,
		info.tcpi_sacked);
	puts("connected");
	net_pair(p);
	all(p[0]);
	TRY(p[0], TCP_WINDOW_CLAMP, 100000, 1, 0);
	congestion(p[0], "reno");
	congestion(p[0], "cubic");
	congestion(p[0], "cubicles");
	congestion(p[0], "");
	RET(write(p[0], "hello", 5));
	char buf[8];
	RET(read(p[1], buf, sizeof(buf)));
	len = sizeof(info);
	RET(getsockopt(p[0], IPPROTO_TCP, TCP_INFO, &info, &len));
	printf("state %d, ca %d, backoff %d, lost %u, sacked %u, again %u\n", info.tcpi_state,
		info.tcpi_ca_state, info.tcpi_backoff, info.tcpi_lost, info.tcpi_sacked,
		info.tcpi_total_retrans);
	IS(info.tcpi_snd_cwnd >= 10);
	IS(info.tcpi_rtt > 0 && info.tcpi_rtt <= info.tcpi_rto);
	IS(info.tcpi_pmtu > info.tcpi_snd_mss);
	return 0;
}
