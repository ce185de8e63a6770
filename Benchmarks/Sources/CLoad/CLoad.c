#define _GNU_SOURCE
#include "CLoad.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static int no_passphrase(char *buffer, int size, int writing, void *context) {
    (void)buffer, (void)size, (void)writing, (void)context;
    return -1;
}

void *load_tls_context(const char *authority, const void *bytes, size_t size) {
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    BIO *bio = BIO_new_mem_buf(bytes, (int)size);
    EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL) : NULL;
    BIO_free(bio);
    if (!context || !key || !SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION)
        || !SSL_CTX_load_verify_locations(context, authority, NULL)) {
        EVP_PKEY_free(key);
        SSL_CTX_free(context);
        return NULL;
    }
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
    // The connections take it from here: a context's own key would need a certificate.
    SSL_CTX_set_app_data(context, key);
    return context;
}

void load_tls_context_free(void *context) {
    if (context) EVP_PKEY_free(SSL_CTX_get_app_data((SSL_CTX *)context));
    SSL_CTX_free(context);
}

void *load_tls_new(void *context, int socket, const void *bytes, size_t size, const char *host) {
    BIO *bio = BIO_new_mem_buf(bytes, (int)size);
    X509 *certificate = bio ? PEM_read_bio_X509(bio, NULL, no_passphrase, NULL) : NULL;
    BIO_free(bio);
    SSL *ssl = certificate ? SSL_new(context) : NULL;
    int made = ssl && SSL_use_certificate(ssl, certificate) == 1
        && SSL_use_PrivateKey(ssl, SSL_CTX_get_app_data((SSL_CTX *)context)) == 1 && SSL_set_fd(ssl, socket) == 1
        && SSL_set1_host(ssl, host) == 1 && SSL_set_tlsext_host_name(ssl, host) == 1;
    X509_free(certificate);
    if (!made) {
        SSL_free(ssl);
        return NULL;
    }
    SSL_set_connect_state(ssl);
    return ssl;
}

void load_tls_free(void *connection) { SSL_free(connection); }

static int verdict(SSL *ssl, int code) {
    if (code > 0) return code;
    switch (SSL_get_error(ssl, code)) {
    case SSL_ERROR_WANT_READ: return LOAD_TLS_READ;
    case SSL_ERROR_WANT_WRITE: return LOAD_TLS_WRITE;
    default: return LOAD_TLS_END;
    }
}

int load_tls_read(void *connection, void *buffer, int size) {
    ERR_clear_error();
    return verdict(connection, SSL_read(connection, buffer, size));
}

int load_tls_write(void *connection, const void *bytes, int size) {
    ERR_clear_error();
    return verdict(connection, SSL_write(connection, bytes, size));
}

int load_tls_handshake(void *connection) {
    ERR_clear_error();
    int code = verdict(connection, SSL_do_handshake(connection));
    return code > 0 ? 0 : code;
}

void load_tls_problem(void *connection, char *text, size_t size) {
    *text = 0;
    unsigned long code = ERR_peek_last_error();
    long verified = SSL_get_verify_result(connection);
    if (verified != X509_V_OK) {
        strncat(text, X509_verify_cert_error_string(verified), size - 1);
    } else if (code) {
        ERR_error_string_n(code, text, size);
    } else if (errno) {
        strncat(text, strerror(errno), size - 1);
    }
}

int load_epoll_new(void) { return epoll_create1(EPOLL_CLOEXEC); }

int load_epoll_set(int epoll, int socket, uint64_t number, int events, int is_new) {
    struct epoll_event event = {
        .events = (events & LOAD_READABLE ? EPOLLIN : 0) | (events & LOAD_WRITABLE ? EPOLLOUT : 0), .data.u64 = number};
    return epoll_ctl(epoll, is_new ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, socket, &event);
}

int load_epoll_wait(int epoll, uint64_t *numbers, int *events, int limit, int milliseconds) {
    struct epoll_event found[256];
    int count = epoll_wait(epoll, found, limit < 256 ? limit : 256, milliseconds);
    for (int i = 0; i < count; i++) {
        numbers[i] = found[i].data.u64;
        events[i] = (found[i].events & (EPOLLIN | EPOLLERR | EPOLLHUP) ? LOAD_READABLE : 0)
            | (found[i].events & EPOLLOUT ? LOAD_WRITABLE : 0);
    }
    return count;
}

int load_connect(int port) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return -1;
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0 || errno == EINPROGRESS) return fd;
    int problem = errno;
    close(fd);
    errno = problem;
    return -1;
}

static void do_nothing(int signal) { (void)signal; }

// A handler, not SIG_IGN: programs that are started from here would inherit that.
void load_survive_lost_connections(void) { signal(SIGPIPE, do_nothing); }

void load_print_lines(void) { setvbuf(stdout, NULL, _IOLBF, 0); }
