#include "include/ctoml.h"

#define TOML_EXCEPTIONS 1
#include <toml++/toml.h>

#include <string>
#include <string_view>
#include <vector>

namespace {
struct entry {
    std::string path;
    std::string key;
    ctoml_kind kind;
    std::string text;
    int64_t integer;
    double real;
    uint32_t line;
};
} // namespace

struct ctoml_document {
    std::vector<entry> entries;
    std::string error;
    uint32_t line = 0;
    uint32_t column = 0;
};

namespace {
void collect(ctoml_document &document, const toml::node &node, const std::string &path,
             const std::string &last) {
    entry found{path, last, CTOML_OTHER, "", 0, 0, node.source().begin.line};
    if (const auto *table = node.as_table()) {
        if (!path.empty()) {
            found.kind = CTOML_TABLE;
            document.entries.push_back(found);
        }
        for (const auto &[key, value] : *table)
            collect(document, value, path.empty() ? std::string(key.str()) : path + "." + std::string(key.str()),
                    std::string(key.str()));
        return;
    }
    if (const auto *array = node.as_array()) {
        found.kind = CTOML_ARRAY;
        document.entries.push_back(found);
        size_t index = 0;
        for (const auto &value : *array) collect(document, value, path + "[" + std::to_string(index++) + "]", "");
        return;
    }
    if (const auto *value = node.as_string()) {
        found.kind = CTOML_STRING;
        found.text = value->get();
    } else if (const auto *value = node.as_integer()) {
        found.kind = CTOML_INTEGER;
        found.integer = value->get();
    } else if (const auto *value = node.as_floating_point()) {
        found.kind = CTOML_FLOAT;
        found.real = value->get();
    } else if (const auto *value = node.as_boolean()) {
        found.kind = CTOML_BOOLEAN;
        found.integer = value->get();
    }
    document.entries.push_back(found);
}
} // namespace

extern "C" {
ctoml_document *ctoml_parse(const char *text, uintptr_t length) {
    auto *document = new ctoml_document;
    try {
        const auto table = toml::parse(std::string_view(text, length));
        collect(*document, table, "", "");
    } catch (const toml::parse_error &error) {
        document->error = std::string(error.description());
        document->line = error.source().begin.line;
        document->column = error.source().begin.column;
    } catch (const std::exception &error) {
        document->error = error.what();
    }
    return document;
}

void ctoml_free(ctoml_document *document) { delete document; }

const char *ctoml_error(const ctoml_document *document, uint32_t *line, uint32_t *column) {
    if (document->error.empty()) return nullptr;
    *line = document->line;
    *column = document->column;
    return document->error.c_str();
}

uintptr_t ctoml_count(const ctoml_document *document) { return document->entries.size(); }

ctoml_entry ctoml_get(const ctoml_document *document, uintptr_t index) {
    const auto &found = document->entries[index];
    return {found.path.c_str(), found.key.c_str(), found.kind, found.text.c_str(), found.integer, found.real, found.line};
}
}
