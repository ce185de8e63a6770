#pragma once
#include <curl/curl.h>

// libcurl's setters and getters are variadic. https://curl.se/libcurl/c/

static inline int srup_curl_init(void) { return (int)curl_global_init(CURL_GLOBAL_DEFAULT); }
static inline CURLcode srup_curl_text(CURL *c, CURLoption option, const char *value) {
    return curl_easy_setopt(c, option, value);
}
static inline CURLcode srup_curl_number(CURL *c, CURLoption option, long value) {
    return curl_easy_setopt(c, option, value);
}
static inline CURLcode srup_curl_body(CURL *c, const void *bytes, long count) {
    CURLcode code = curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE, count);
    return code != CURLE_OK ? code : curl_easy_setopt(c, CURLOPT_COPYPOSTFIELDS, (const char *)bytes);
}
static inline CURLcode srup_curl_headers(CURL *c, struct curl_slist *list) {
    return curl_easy_setopt(c, CURLOPT_HTTPHEADER, list);
}
static inline CURLcode srup_curl_writer(CURL *c, size_t (*write)(char *, size_t, size_t, void *), void *context) {
    CURLcode code = curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, write);
    return code != CURLE_OK ? code : curl_easy_setopt(c, CURLOPT_WRITEDATA, context);
}
static inline long srup_curl_status(CURL *c) {
    long status = 0;
    curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &status);
    return status;
}
