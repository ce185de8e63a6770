#include "CCurl.h"
#include <CLazy.h>
#include <pthread.h>

// curl.h makes macros of these two.
#undef curl_easy_setopt
#undef curl_easy_getinfo

#define FUNCTIONS(X) \
    X(curl_global_init) X(curl_easy_init) X(curl_easy_cleanup) X(curl_easy_setopt) X(curl_easy_getinfo) \
    X(curl_easy_perform) X(curl_easy_strerror) X(curl_slist_append) X(curl_slist_free_all)

static struct {
#define POINTER(name) __typeof__(name) *name;
    FUNCTIONS(POINTER)
} lib;
static const char *problem;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void load(void) {
#define ENTRY(name) {#name, &lib.name},
    static const struct srup_function functions[] = {FUNCTIONS(ENTRY)};
    problem = srup_load_library("libcurl.so.4", functions, sizeof functions / sizeof *functions);
    if (!problem && lib.curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) problem = "libcurl cannot be set up";
}

const char *srup_curl_load(void) {
    pthread_once(&once, load);
    return problem;
}

CURL *srup_curl_new(void) { return lib.curl_easy_init(); }
void srup_curl_free(CURL *c) { lib.curl_easy_cleanup(c); }
CURLcode srup_curl_text(CURL *c, CURLoption option, const char *value) { return lib.curl_easy_setopt(c, option, value); }
CURLcode srup_curl_number(CURL *c, CURLoption option, long value) { return lib.curl_easy_setopt(c, option, value); }

CURLcode srup_curl_bytes(CURL *c, CURLoption option, const void *bytes, size_t count) {
    struct curl_blob blob = {.data = (void *)bytes, .len = count, .flags = CURL_BLOB_COPY};
    return lib.curl_easy_setopt(c, option, &blob);
}

CURLcode srup_curl_body(CURL *c, const void *bytes, long count) {
    CURLcode code = lib.curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE, count);
    return code != CURLE_OK ? code : lib.curl_easy_setopt(c, CURLOPT_COPYPOSTFIELDS, (const char *)bytes);
}

struct curl_slist *srup_curl_append(struct curl_slist *list, const char *text) {
    return lib.curl_slist_append(list, text);
}

void srup_curl_free_list(struct curl_slist *list) { lib.curl_slist_free_all(list); }
CURLcode srup_curl_headers(CURL *c, struct curl_slist *list) { return lib.curl_easy_setopt(c, CURLOPT_HTTPHEADER, list); }

CURLcode srup_curl_writer(CURL *c, size_t (*write)(char *, size_t, size_t, void *), void *context) {
    CURLcode code = lib.curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, write);
    return code != CURLE_OK ? code : lib.curl_easy_setopt(c, CURLOPT_WRITEDATA, context);
}

CURLcode srup_curl_head(CURL *c, size_t (*read)(char *, size_t, size_t, void *), void *context) {
    CURLcode code = lib.curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, read);
    return code != CURLE_OK ? code : lib.curl_easy_setopt(c, CURLOPT_HEADERDATA, context);
}

CURLcode srup_curl_watch(CURL *c, int (*watch)(void *, curl_off_t, curl_off_t, curl_off_t, curl_off_t), void *context) {
    lib.curl_easy_setopt(c, CURLOPT_NOPROGRESS, 0L);
    CURLcode code = lib.curl_easy_setopt(c, CURLOPT_XFERINFOFUNCTION, watch);
    return code != CURLE_OK ? code : lib.curl_easy_setopt(c, CURLOPT_XFERINFODATA, context);
}

CURLcode srup_curl_perform(CURL *c) { return lib.curl_easy_perform(c); }

long srup_curl_status(CURL *c) {
    long status = 0;
    lib.curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &status);
    return status;
}

long srup_curl_verified(CURL *c) {
    long result = 0;
    lib.curl_easy_getinfo(c, CURLINFO_SSL_VERIFYRESULT, &result);
    return result;
}

const char *srup_curl_problem(CURLcode code) { return lib.curl_easy_strerror(code); }
