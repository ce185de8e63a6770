#pragma once
#include <arpa/inet.h>
#include <ifaddrs.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

// Starting is variadic, and so is asking for the client. https://www.gnu.org/software/libmicrohttpd/manual/

// A server on one thread of its own, everything bounded. NULL with errno.
static inline struct MHD_Daemon *srup_mhd_start(
    const struct sockaddr *address, MHD_AccessHandlerCallback answer, void *context, unsigned connections) {
    unsigned flags = MHD_USE_INTERNAL_POLLING_THREAD;
    if (address->sa_family == AF_INET6) flags |= MHD_USE_IPv6;
    return MHD_start_daemon(
        flags, 0, NULL, NULL, answer, context, MHD_OPTION_SOCK_ADDR, address, MHD_OPTION_CONNECTION_LIMIT, connections,
        MHD_OPTION_CONNECTION_TIMEOUT, 10u, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)8192,
        MHD_OPTION_LISTEN_BACKLOG_SIZE, 8u, MHD_OPTION_END);
}

// What an answer function returns to have the connection closed.
static inline enum MHD_Result srup_mhd_no(void) { return MHD_NO; }

static inline unsigned srup_mhd_port(struct MHD_Daemon *daemon) {
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT);
    return info ? info->port : 0;
}

// Who asks, as 16 bytes; all zero when it cannot be told.
static inline void srup_mhd_client(struct MHD_Connection *connection, unsigned char client[16]) {
    memset(client, 0, 16);
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    if (!info || !info->client_addr) return;
    if (info->client_addr->sa_family == AF_INET)
        memcpy(client, &((struct sockaddr_in *)info->client_addr)->sin_addr, 4);
    else if (info->client_addr->sa_family == AF_INET6)
        memcpy(client, &((struct sockaddr_in6 *)info->client_addr)->sin6_addr, 16);
}

// Queues an answer whose body is copied.
static inline enum MHD_Result srup_mhd_answer(
    struct MHD_Connection *connection, unsigned status, const void *body, size_t count, const char *type) {
    struct MHD_Response *response = MHD_create_response_from_buffer(count, (void *)body, MHD_RESPMEM_MUST_COPY);
    if (!response) return MHD_NO;
    MHD_add_response_header(response, "Content-Type", type);
    MHD_add_response_header(response, "Cache-Control", "no-store");
    MHD_add_response_header(response, "Referrer-Policy", "no-referrer");
    MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    MHD_add_response_header(response, "X-Frame-Options", "DENY");
    MHD_add_response_header(
        response, "Content-Security-Policy",
        "default-src 'none'; img-src 'self' blob:; connect-src 'self'; style-src 'unsafe-inline'; script-src 'unsafe-inline'");
    enum MHD_Result result = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return result;
}

// "192.168.1.7 " and so on: this machine's IPv4 addresses but for loopback, as many as fit.
static inline void srup_own_addresses(char *text, size_t size) {
    struct ifaddrs *list;
    size_t used = 0;
    text[0] = 0;
    if (getifaddrs(&list) != 0) return;
    for (struct ifaddrs *next = list; next; next = next->ifa_next) {
        char address[INET_ADDRSTRLEN];
        if (!next->ifa_addr || next->ifa_addr->sa_family != AF_INET) continue;
        const struct in_addr *in = &((struct sockaddr_in *)next->ifa_addr)->sin_addr;
        if ((ntohl(in->s_addr) >> 24) == 127 || !inet_ntop(AF_INET, in, address, sizeof address)) continue;
        size_t length = strlen(address);
        if (used + length + 2 > size) break;
        memcpy(text + used, address, length);
        used += length;
        text[used++] = ' ';
        text[used] = 0;
    }
    freeifaddrs(list);
}
