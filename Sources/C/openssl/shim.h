#pragma once
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

// Macros and variadic functions, which Swift cannot call by themselves.

static inline long srup_BIO_get_mem_data(BIO *bio, const unsigned char **out) {
    return BIO_get_mem_data(bio, (char **)out);
}

static inline EVP_PKEY *srup_rsa_generate(size_t bits) {
    return EVP_PKEY_Q_keygen(NULL, NULL, "RSA", bits);
}

static inline EVP_PKEY *srup_ed25519_generate(void) { return EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"); }

static inline int srup_csr_set_version(X509_REQ *request) {
    return X509_REQ_set_version(request, 0);
}

static inline int srup_x509_set_version(X509 *certificate) { return X509_set_version(certificate, 2); }

// Adds an extension by OpenSSL's own text form (x509v3_config(5)).
static inline int srup_x509_extend(X509 *certificate, X509 *issuer, int nid, const char *value) {
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    if (!extension) return 0;
    int done = X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
    return done;
}

// The first user principal name among a certificate's alternative names, as UTF-8 with a NUL behind it.
// Returns its length; 0: there is none, or it is too long.
static inline int srup_x509_principal(const X509 *certificate, char *name, int size) {
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    int length = 0;
    for (int i = 0; length == 0 && i < sk_GENERAL_NAME_num(names); i++) {
        ASN1_OBJECT *kind;
        ASN1_TYPE *value;
        if (GENERAL_NAME_get0_otherName(sk_GENERAL_NAME_value(names, i), &kind, &value) != 1) continue;
        if (OBJ_obj2nid(kind) != NID_ms_upn || ASN1_TYPE_get(value) != V_ASN1_UTF8STRING) continue;
        const ASN1_STRING *text = value->value.utf8string;
        if (ASN1_STRING_length(text) >= size) break;
        length = ASN1_STRING_length(text);
        memcpy(name, ASN1_STRING_get0_data(text), (size_t)length);
        name[length] = 0;
    }
    GENERAL_NAMES_free(names);
    return length;
}

static inline int srup_ssl_least_version(SSL_CTX *context) { return SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION); }
static inline long srup_ssl_server_name(SSL *ssl, const char *name) { return SSL_set_tlsext_host_name(ssl, name); }

// Refuses. Without a callback OpenSSL asks for the pass phrase of an encrypted block on the terminal, and waits: any PEM
// text may say "Proc-Type: 4,ENCRYPTED", a request or a certificate from elsewhere, too.
static inline int srup_no_passphrase(char *buffer, int size, int writing, void *context) {
    (void)buffer, (void)size, (void)writing, (void)context;
    return -1;
}

// The entries of a list of revoked certificates.
static inline int srup_crl_count(X509_CRL *list) {
    STACK_OF(X509_REVOKED) *entries = X509_CRL_get_REVOKED(list);
    return entries ? sk_X509_REVOKED_num(entries) : 0;
}
static inline X509_REVOKED *srup_crl_entry(X509_CRL *list, int index) {
    return sk_X509_REVOKED_value(X509_CRL_get_REVOKED(list), index);
}

static inline void srup_free(void *memory) { OPENSSL_free(memory); }
