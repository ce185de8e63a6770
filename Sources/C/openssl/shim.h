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
#include <openssl/x509.h>
#include <openssl/x509v3.h>

// Macros and variadic functions, which Swift cannot call by themselves.

static inline long srup_BIO_get_mem_data(BIO *bio, const unsigned char **out) {
    return BIO_get_mem_data(bio, (char **)out);
}

static inline EVP_PKEY *srup_rsa_generate(size_t bits) {
    return EVP_PKEY_Q_keygen(NULL, NULL, "RSA", bits);
}

static inline int srup_csr_set_version(X509_REQ *request) {
    return X509_REQ_set_version(request, 0);
}
