/* SPDX-License-Identifier: BSD-2-Clause */
/* Virtio network device (virtio 1.2, 5.1). */
#pragma once

#include "lib/types.h"

#define VIRTIO_NET_F_CSUM	(1ull << 0)
#define VIRTIO_NET_F_GUEST_CSUM (1ull << 1)
#define VIRTIO_NET_F_MTU	(1ull << 3)
#define VIRTIO_NET_F_MAC	(1ull << 5)
#define VIRTIO_NET_F_GUEST_TSO4 (1ull << 7)
#define VIRTIO_NET_F_GUEST_TSO6 (1ull << 8)
#define VIRTIO_NET_F_HOST_TSO4	(1ull << 11)
#define VIRTIO_NET_F_HOST_TSO6	(1ull << 12)
#define VIRTIO_NET_F_MRG_RXBUF	(1ull << 15)
#define VIRTIO_NET_F_STATUS	(1ull << 16)
#define VIRTIO_NET_F_CTRL_VQ	(1ull << 17)
#define VIRTIO_NET_F_MQ		(1ull << 22)
#define VIRTIO_NET_F_GUEST_USO4 (1ull << 54)
#define VIRTIO_NET_F_GUEST_USO6 (1ull << 55)
#define VIRTIO_NET_F_HOST_USO	(1ull << 56)
#define VIRTIO_NET_F_RSS	(1ull << 60)

enum virtio_net_config { /* offsets */
	VIRTIO_NET_CONFIG_MAC = 0,
	VIRTIO_NET_CONFIG_STATUS = 6,
	VIRTIO_NET_CONFIG_MAX_PAIRS = 8,
	VIRTIO_NET_CONFIG_MTU = 10,
	VIRTIO_NET_CONFIG_RSS_MAX_KEY = 17,   /* 8 bits */
	VIRTIO_NET_CONFIG_RSS_MAX_TABLE = 18, /* 16 bits */
	VIRTIO_NET_CONFIG_RSS_HASHES = 20,    /* 32 bits */
};
#define VIRTIO_NET_S_LINK_UP 1

/* In front of every packet. The last field is absent on a legacy device without MRG_RXBUF. */
struct virtio_net_hdr {
	uint8_t flags;
	uint8_t gso_type;
	uint16_t hdr_len;
	uint16_t gso_size;
	uint16_t csum_start;
	uint16_t csum_offset;
	uint16_t num_buffers;
};
_Static_assert(sizeof(struct virtio_net_hdr) == 12, "header is 12 bytes");
#define VIRTIO_NET_HDR_SHORT	    10
#define VIRTIO_NET_HDR_F_NEEDS_CSUM 1
#define VIRTIO_NET_HDR_F_DATA_VALID 2
#define VIRTIO_NET_HDR_GSO_NONE	    0
#define VIRTIO_NET_HDR_GSO_TCPV4    1
#define VIRTIO_NET_HDR_GSO_UDP	    3
#define VIRTIO_NET_HDR_GSO_TCPV6    4
#define VIRTIO_NET_HDR_GSO_UDP_L4   5
#define VIRTIO_NET_HDR_GSO_ECN	    0x80

/* Pair i has receive queue 2i and send queue 2i + 1; behind all pairs there may be, the control
 * queue. */
#define VIRTIO_NET_QUEUE_RX(pair) (2 * (pair))
#define VIRTIO_NET_QUEUE_TX(pair) (2 * (pair) + 1)
#define VIRTIO_NET_MAX_PAIRS	  0x8000

/* The control queue (5.1.6.5): what is to be done, its data, and a byte in which the device
 * answers. */
struct virtio_net_ctrl_hdr {
	uint8_t class, command;
};
#define VIRTIO_NET_ACK_OK	     0
#define VIRTIO_NET_CTRL_MQ	     4
#define VIRTIO_NET_CTRL_MQ_PAIRS_SET 0 /* uint16_t */
#define VIRTIO_NET_CTRL_MQ_RSS	     1

/*
 * VIRTIO_NET_CTRL_MQ_RSS: this, the table of mask + 1 queues, then the other struct and the key
 * (5.1.6.5.7.1). A receive queue is named by its pair.
 */
struct virtio_net_rss_hdr {
	uint32_t hash_types;
	uint16_t table_mask;
	uint16_t unclassified_queue;
};
struct virtio_net_rss_tail {
	uint16_t max_tx_queues;
	uint8_t key_length;
} __packed;
#define VIRTIO_NET_RSS_MAX_TABLE 128u /* devices have at least so much */
#define VIRTIO_NET_RSS_KEY	 40u
enum virtio_net_rss_hash {
	VIRTIO_NET_HASH_IPV4 = 1,
	VIRTIO_NET_HASH_TCPV4 = 2,
	VIRTIO_NET_HASH_UDPV4 = 4,
	VIRTIO_NET_HASH_IPV6 = 8,
	VIRTIO_NET_HASH_TCPV6 = 16,
	VIRTIO_NET_HASH_UDPV6 = 32,
};
