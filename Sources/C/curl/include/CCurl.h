#pragma once
#include <curl/curl.h>

// libcurl, loaded when it is first used: with the thirty libraries that it needs itself it would take 3 MB of memory in a
// program that registers once and then waits for months. Its setters and getters are variadic, which Swift cannot call.
// https://curl.se/libcurl/c/

// Loads and initialises the library. NULL: it is there; otherwise what is wrong. Any thread, any number of times.
const char *srup_curl_load(void);

// All others only after that.
CURL *srup_curl_new(void);
void srup_curl_free(CURL *c);
CURLcode srup_curl_text(CURL *c, CURLoption option, const char *value);
CURLcode srup_curl_number(CURL *c, CURLoption option, long value);
// Copy the bytes.
CURLcode srup_curl_bytes(CURL *c, CURLoption option, const void *bytes, size_t count);
CURLcode srup_curl_body(CURL *c, const void *bytes, long count);
struct curl_slist *srup_curl_append(struct curl_slist *list, const char *text);
void srup_curl_free_list(struct curl_slist *list);
CURLcode srup_curl_headers(CURL *c, struct curl_slist *list);
CURLcode srup_curl_writer(CURL *c, size_t (*write)(char *, size_t, size_t, void *), void *context);
// Gets each line of the answer's head.
CURLcode srup_curl_head(CURL *c, size_t (*read)(char *, size_t, size_t, void *), void *context);
// Is asked about once a second, also while nothing comes; 0: go on.
CURLcode srup_curl_watch(CURL *c, int (*watch)(void *, curl_off_t, curl_off_t, curl_off_t, curl_off_t), void *context);
CURLcode srup_curl_perform(CURL *c);
// The answer's HTTP status; 0 when there was none.
long srup_curl_status(CURL *c);
// OpenSSL's result of verifying the server's certificate.
long srup_curl_verified(CURL *c);
const char *srup_curl_problem(CURLcode code);
