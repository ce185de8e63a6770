#pragma once
#include <stddef.h>
#include <stdint.h>

// What thousands of TLS connections in one process need: they share one context and one private key; each has a
// certificate of its own. For one thread.

// Whom to believe (a PEM file) and the key of all client certificates (PEM in memory). NULL: OpenSSL refuses.
void *load_tls_context(const char *authority, const void *key, size_t size);
void load_tls_context_free(void *context);

// Over a connected or connecting non-blocking socket. The certificate is PEM. NULL: OpenSSL refuses.
void *load_tls_new(void *context, int socket, const void *certificate, size_t size, const char *host);
void load_tls_free(void *connection);

enum { LOAD_TLS_READ = -1, LOAD_TLS_WRITE = -2, LOAD_TLS_END = -3 };
// How many bytes, or one of the above: wait until the socket can be read or written, or the connection is over. The
// handshake is made on the way.
int load_tls_read(void *connection, void *buffer, int size);
int load_tls_write(void *connection, const void *bytes, int size);
// Makes the handshake: 0 when it is done, or one of the above.
int load_tls_handshake(void *connection);
// What OpenSSL says of the last failure; "" when it says nothing.
void load_tls_problem(void *connection, char *text, size_t size);

// epoll(7), with a number for each socket.
int load_epoll_new(void);
enum { LOAD_READABLE = 1, LOAD_WRITABLE = 2 };
// Adds a socket, or changes what is waited for.
int load_epoll_set(int epoll, int socket, uint64_t number, int events, int is_new);
// Fills in numbers and events, at most `limit`.
int load_epoll_wait(int epoll, uint64_t *numbers, int *events, int limit, int milliseconds);

// A non-blocking TCP connection to a port of 127.0.0.1, under way; -1: errno.
int load_connect(int port);

// Each line is written as soon as it is complete, to a file or a pipe, too.
void load_print_lines(void);

// OpenSSL writes to connections whose other end may have been killed: that is an error of the write, not our end.
void load_survive_lost_connections(void);
