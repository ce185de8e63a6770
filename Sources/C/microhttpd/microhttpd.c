#include "CMicroHTTPD.h"
#include <CLazy.h>
#include <pthread.h>

#define FUNCTIONS(X) \
    X(MHD_start_daemon) X(MHD_stop_daemon) X(MHD_get_daemon_info) X(MHD_lookup_connection_value) \
    X(MHD_create_response_from_buffer) X(MHD_add_response_header) X(MHD_queue_response) X(MHD_destroy_response)

static struct {
#define POINTER(name) __typeof__(name) *name;
    FUNCTIONS(POINTER)
} lib;
static const char *problem;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void load(void) {
#define ENTRY(name) {#name, &lib.name},
    static const struct srup_function functions[] = {FUNCTIONS(ENTRY)};
    problem = srup_load_library("libmicrohttpd.so.12", functions, sizeof functions / sizeof *functions);
}

const char *srup_mhd_load(void) {
    pthread_once(&once, load);
    return problem;
}

struct MHD_Daemon *srup_mhd_start(const struct sockaddr *address, int takes_both_families, MHD_AcceptPolicyCallback policy,
                                  MHD_AccessHandlerCallback handler, void *context, struct srup_mhd_limits limits) {
    unsigned flags = MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_AUTO;
    if (address->sa_family == AF_INET6) flags |= takes_both_families ? MHD_USE_DUAL_STACK : MHD_USE_IPv6;
    return lib.MHD_start_daemon(flags, 0, policy, context, handler, context, MHD_OPTION_SOCK_ADDR, address,
                                MHD_OPTION_CONNECTION_LIMIT, limits.connections, MHD_OPTION_PER_IP_CONNECTION_LIMIT,
                                limits.connections_per_address, MHD_OPTION_CONNECTION_TIMEOUT, limits.idle,
                                MHD_OPTION_CONNECTION_MEMORY_LIMIT, limits.memory, MHD_OPTION_THREAD_STACK_SIZE,
                                limits.stack, MHD_OPTION_END);
}

void srup_mhd_stop(struct MHD_Daemon *daemon) { lib.MHD_stop_daemon(daemon); }

unsigned srup_mhd_port(struct MHD_Daemon *daemon) {
    const union MHD_DaemonInfo *info = lib.MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT);
    return info ? info->port : 0;
}

enum MHD_Result srup_mhd_result(int is_good) { return is_good ? MHD_YES : MHD_NO; }

const char *srup_mhd_argument(struct MHD_Connection *connection, const char *name) {
    return lib.MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, name);
}

struct MHD_Response *srup_mhd_response(size_t size, const void *bytes) {
    return lib.MHD_create_response_from_buffer(size, (void *)bytes, MHD_RESPMEM_MUST_COPY);
}

void srup_mhd_header(struct MHD_Response *response, const char *name, const char *value) {
    lib.MHD_add_response_header(response, name, value);
}

enum MHD_Result srup_mhd_queue(struct MHD_Connection *connection, unsigned status, struct MHD_Response *response) {
    return lib.MHD_queue_response(connection, status, response);
}

void srup_mhd_release(struct MHD_Response *response) { lib.MHD_destroy_response(response); }
