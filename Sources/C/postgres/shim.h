#include <libpq-fe.h>

// The fields of an error are named by character literals, which Swift does not import.
static inline const char *srup_pq_sqlstate(const PGresult *result) {
    return PQresultErrorField(result, PG_DIAG_SQLSTATE);
}

static inline const char *srup_pq_message(const PGresult *result) {
    return PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
}

// FATAL and PANIC end the connection, whatever the server's language is.
static inline int srup_pq_is_fatal(const PGresult *result) {
    const char *severity = PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);
    return severity && (severity[0] == 'F' || severity[0] == 'P');
}

static inline void srup_pq_ignore(void *nobody, const char *notice) {
    (void)nobody;
    (void)notice;
}

// Notices go nowhere; libpq would print them.
static inline void srup_pq_be_silent(PGconn *connection) {
    PQsetNoticeProcessor(connection, srup_pq_ignore, 0);
}
