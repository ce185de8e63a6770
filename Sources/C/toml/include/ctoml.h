#pragma once
// A thin C face of toml++ (Debian: libtomlplusplus-dev): the leaves of a document in order, each with its place.
#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum { CTOML_STRING, CTOML_INTEGER, CTOML_FLOAT, CTOML_BOOLEAN, CTOML_OTHER, CTOML_TABLE, CTOML_ARRAY } ctoml_kind;

typedef struct {
    uint32_t line, column; // from 1; columns count Unicode scalars
} ctoml_place;

typedef struct {
    const char *path; // keys joined by '.', array elements as [0], [1] …; a key that is not bare stands in quotes
    ctoml_kind kind;
    const char *text; // CTOML_STRING, without NUL
    int64_t integer;  // CTOML_INTEGER, CTOML_BOOLEAN
    double real;      // CTOML_FLOAT
    ctoml_place begin, end; // the value with its quotes; end is behind its last character
} ctoml_entry;

typedef struct ctoml_document ctoml_document;

// Bounds of a document: how deep it may be and how many keys it may have. What a line's dots and brackets can nest is
// bounded before anything is parsed, since toml++ frees its tables by recursion.
#define CTOML_MAXIMUM_KEYS 5000
#define CTOML_MAXIMUM_PARTS 64 // of one dotted key
#define CTOML_MAXIMUM_NESTING 8 // of arrays and inline tables

/// Parses `length` bytes; always returns a document, to be freed by ctoml_free.
ctoml_document *ctoml_parse(const char *text, uintptr_t length);
void ctoml_free(ctoml_document *document);
/// NULL when the text is TOML; otherwise what is wrong, and where. Column 0: it is TOML, but nothing that we take.
const char *ctoml_error(const ctoml_document *document, ctoml_place *place);
uintptr_t ctoml_count(const ctoml_document *document);
ctoml_entry ctoml_get(const ctoml_document *document, uintptr_t index);

#ifdef __cplusplus
}
#endif
