#pragma once
// A thin C face of toml++ (Debian: libtomlplusplus-dev): the leaves of a document in order, each with its line.
#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum { CTOML_STRING, CTOML_INTEGER, CTOML_FLOAT, CTOML_BOOLEAN, CTOML_OTHER, CTOML_TABLE, CTOML_ARRAY } ctoml_kind;

typedef struct {
    const char *path; // keys joined by '.', array elements as [0], [1] …
    const char *key;  // the last key of it alone, "" for array elements: a quoted key may hold dots
    ctoml_kind kind;
    const char *text; // CTOML_STRING
    int64_t integer;  // CTOML_INTEGER, CTOML_BOOLEAN
    double real;      // CTOML_FLOAT
    uint32_t line;    // from 1
} ctoml_entry;

typedef struct ctoml_document ctoml_document;

/// Parses `length` bytes; always returns a document, to be freed by ctoml_free.
ctoml_document *ctoml_parse(const char *text, uintptr_t length);
void ctoml_free(ctoml_document *document);
/// NULL when the text is TOML; otherwise what is wrong, and where.
const char *ctoml_error(const ctoml_document *document, uint32_t *line, uint32_t *column);
uintptr_t ctoml_count(const ctoml_document *document);
ctoml_entry ctoml_get(const ctoml_document *document, uintptr_t index);

#ifdef __cplusplus
}
#endif
