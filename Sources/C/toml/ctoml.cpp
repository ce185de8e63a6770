#include "include/ctoml.h"

#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

// toml++ asserts what its parser has not looked at: "[(d]" and a lone "[" fail an assertion, which would end the program,
// and with NDEBUG the compiler takes it for true. Here an assertion that fails is an error like another, in every build.
namespace {
struct failed_assertion : std::runtime_error {
    using std::runtime_error::runtime_error;
};

[[noreturn]] void fail_assertion(const char *what) { throw failed_assertion(what); }
} // namespace

#undef NDEBUG
#define TOML_ASSERT(expr)                                                                                              \
    do {                                                                                                               \
        if (!(expr)) fail_assertion(#expr);                                                                            \
    } while (false)
#define TOML_EXCEPTIONS 1
#define TOML_HEADER_ONLY 1
#define TOML_MAX_NESTED_VALUES CTOML_MAXIMUM_NESTING
#include <toml++/toml.h>

namespace {
struct entry {
    std::string path;
    ctoml_kind kind;
    std::string text;
    int64_t integer;
    double real;
    ctoml_place begin, end;
};

ctoml_place place(const toml::source_position &position) { return {position.line, position.column}; }

/// What is TOML and still not taken.
struct refusal : std::runtime_error {
    ctoml_place at;
    refusal(const std::string &what, uint32_t line) : std::runtime_error(what), at{line, 0} {}
};
} // namespace

struct ctoml_document {
    std::vector<entry> entries;
    std::string error;
    ctoml_place at{0, 0};
    size_t path_bytes = 0;
};

namespace {
/// A line nests as many tables as it has dots, wherever they stand; two in a row are no key.
void check_dots(std::string_view text) {
    uint32_t line = 1;
    size_t dots = 0;
    char before = ' ';
    for (char character : text) {
        if (character == '\n') {
            ++line;
            dots = 0;
            before = ' ';
        } else if (character != ' ' && character != '\t') {
            if (character == '.' && before != '.' && ++dots >= CTOML_MAXIMUM_PARTS)
                throw refusal(
                    "a key may have " + std::to_string(CTOML_MAXIMUM_PARTS) + " parts, and a line as many dots", line);
            before = character;
        }
    }
}

bool is_bare(std::string_view key) {
    for (char c : key)
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-'))
            return false;
    return !key.empty();
}

/// "a".b is not "a.b": a key that is not bare keeps its quotes.
std::string part(std::string_view key, uint32_t line) {
    if (is_bare(key)) return std::string(key);
    std::string quoted = "\"";
    for (char c : key) {
        if (c == 0) throw refusal("a key holds a NUL character", line);
        if (c == '"' || c == '\\') quoted += '\\';
        quoted += c;
    }
    return quoted + "\"";
}

void add(ctoml_document &document, entry found) {
    document.path_bytes += found.path.size();
    if (document.entries.size() >= CTOML_MAXIMUM_KEYS)
        throw refusal("it has more than " + std::to_string(CTOML_MAXIMUM_KEYS) + " keys", found.begin.line);
    // Nobody's keys have 200 characters: only deep tables of many parts reach this.
    if (document.path_bytes > CTOML_MAXIMUM_KEYS * 200) throw refusal("its tables are too deep", found.begin.line);
    document.entries.push_back(std::move(found));
}

void collect(ctoml_document &document, const toml::node &node, const std::string &path) {
    const auto &source = node.source();
    entry found{path, CTOML_OTHER, "", 0, 0, place(source.begin), place(source.end)};
    if (const auto *table = node.as_table()) {
        if (!path.empty()) {
            found.kind = CTOML_TABLE;
            add(document, std::move(found));
        }
        for (const auto &[key, value] : *table) {
            const auto name = part(key.str(), value.source().begin.line);
            collect(document, value, path.empty() ? name : path + "." + name);
        }
        return;
    }
    if (const auto *array = node.as_array()) {
        found.kind = CTOML_ARRAY;
        add(document, std::move(found));
        size_t index = 0;
        for (const auto &value : *array) collect(document, value, path + "[" + std::to_string(index++) + "]");
        return;
    }
    if (const auto *value = node.as_string()) {
        found.kind = CTOML_STRING;
        found.text = value->get();
        if (found.text.find('\0') != std::string::npos) throw refusal(path + ": the text holds a NUL character", found.begin.line);
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
    add(document, std::move(found));
}

bool fails_assertion(std::string_view text) {
    try {
        (void)toml::parse(text);
    } catch (const failed_assertion &) {
        return true;
    } catch (const std::exception &) {
    }
    return false;
}

/// An assertion does not tell its line: the shortest text of whole lines that fails one ends with it.
uint32_t line_of_assertion(std::string_view text) {
    std::vector<size_t> ends;
    for (size_t at = 0; at < text.size(); ++at)
        if (text[at] == '\n' || at + 1 == text.size()) ends.push_back(at + 1);
    size_t low = 0, high = ends.empty() ? 0 : ends.size() - 1;
    while (low < high) {
        const size_t middle = (low + high) / 2;
        if (fails_assertion(text.substr(0, ends[middle])))
            high = middle;
        else
            low = middle + 1;
    }
    return static_cast<uint32_t>(low + 1);
}

std::string words(const failed_assertion &assertion) {
    const std::string_view what = assertion.what();
    return what.find("is_bare_key_character") != what.npos
        ? "after [ comes a table's name: letters, digits, _ and -, or a text in quotes"
        : "something stands where nothing is expected";
}
} // namespace

extern "C" {
ctoml_document *ctoml_parse(const char *text, uintptr_t length) {
    auto *document = new ctoml_document;
    const std::string_view whole(text, length);
    try {
        check_dots(whole);
        const auto table = toml::parse(whole);
        collect(*document, table, "");
    } catch (const toml::parse_error &error) {
        document->error = std::string(error.description());
        document->at = place(error.source().begin);
    } catch (const refusal &error) {
        document->error = error.what();
        document->at = error.at;
    } catch (const failed_assertion &error) {
        document->error = words(error);
        document->at = {line_of_assertion(whole), 1};
    } catch (const std::exception &error) {
        document->error = error.what();
    }
    return document;
}

void ctoml_free(ctoml_document *document) { delete document; }

const char *ctoml_error(const ctoml_document *document, ctoml_place *at) {
    if (document->error.empty()) return nullptr;
    *at = document->at;
    return document->error.c_str();
}

uintptr_t ctoml_count(const ctoml_document *document) { return document->entries.size(); }

ctoml_entry ctoml_get(const ctoml_document *document, uintptr_t index) {
    const auto &found = document->entries[index];
    return {found.path.c_str(), found.kind, found.text.c_str(), found.integer, found.real, found.begin, found.end};
}
}
