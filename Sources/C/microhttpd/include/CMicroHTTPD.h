#pragma once
#include <sys/socket.h>
#include <sys/types.h>
#include <microhttpd.h>

// libmicrohttpd, loaded when it is first used: with GnuTLS, which it brings along and which is not used here, it would take
// 2.5 MB of memory in a witness that serves no page. Enumerations and functions with any number of arguments look different
// to Swift from version to version, or cannot be used at all.

// Loads the library. NULL: it is there; otherwise what is wrong. Any thread, any number of times.
const char *srup_mhd_load(void);

// All others only after that.

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
struct MHD_Daemon *srup_mhd_start(const struct sockaddr *address, int takes_both_families, MHD_AcceptPolicyCallback policy,
                                  MHD_AccessHandlerCallback handler, void *context, struct srup_mhd_limits limits);
// Ends all connections; returns when the thread has ended.
void srup_mhd_stop(struct MHD_Daemon *daemon);
// The port that a server listens at; 0 when it does not say.
unsigned srup_mhd_port(struct MHD_Daemon *daemon);
enum MHD_Result srup_mhd_result(int is_good);
// A part of the query (?name=value); NULL when it is not there or has no value.
const char *srup_mhd_argument(struct MHD_Connection *connection, const char *name);
// A response with a copy of the bytes; NULL without memory.
struct MHD_Response *srup_mhd_response(size_t size, const void *bytes);
void srup_mhd_header(struct MHD_Response *response, const char *name, const char *value);
enum MHD_Result srup_mhd_queue(struct MHD_Connection *connection, unsigned status, struct MHD_Response *response);
void srup_mhd_release(struct MHD_Response *response);
