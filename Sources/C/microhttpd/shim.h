#pragma once
#include <sys/socket.h>
#include <sys/types.h>
#include <microhttpd.h>

// Enumerations and functions with any number of arguments look different to Swift from version to version, or cannot be
// used at all: what is needed of them is here.

// How much a server may take.
struct srup_mhd_limits {
    unsigned connections;
    unsigned connections_per_address;
    // Seconds without a byte.
    unsigned idle;
    // Bytes for a connection's request and headers, and for the thread's stack.
    size_t memory;
    size_t stack;
};

// One thread serves all connections. NULL: errno says why.
static inline struct MHD_Daemon *srup_mhd_start(const struct sockaddr *address, int takes_both_families,
                                                MHD_AcceptPolicyCallback policy, MHD_AccessHandlerCallback handler,
                                                void *context, struct srup_mhd_limits limits) {
    unsigned flags = MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_AUTO;
    if (address->sa_family == AF_INET6) flags |= takes_both_families ? MHD_USE_DUAL_STACK : MHD_USE_IPv6;
    return MHD_start_daemon(flags, 0, policy, context, handler, context, MHD_OPTION_SOCK_ADDR, address,
                            MHD_OPTION_CONNECTION_LIMIT, limits.connections, MHD_OPTION_PER_IP_CONNECTION_LIMIT,
                            limits.connections_per_address, MHD_OPTION_CONNECTION_TIMEOUT, limits.idle,
                            MHD_OPTION_CONNECTION_MEMORY_LIMIT, limits.memory, MHD_OPTION_THREAD_STACK_SIZE,
                            limits.stack, MHD_OPTION_END);
}

// The port that a server listens at; 0 when it does not say.
static inline unsigned srup_mhd_port(struct MHD_Daemon *daemon) {
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT);
    return info ? info->port : 0;
}

static inline enum MHD_Result srup_mhd_result(int is_good) { return is_good ? MHD_YES : MHD_NO; }

// A part of the query (?name=value); NULL when it is not there or has no value.
static inline const char *srup_mhd_argument(struct MHD_Connection *connection, const char *name) {
    return MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, name);
}

// A response with a copy of the bytes; NULL without memory.
static inline struct MHD_Response *srup_mhd_response(size_t size, const void *bytes) {
    return MHD_create_response_from_buffer(size, (void *)bytes, MHD_RESPMEM_MUST_COPY);
}
