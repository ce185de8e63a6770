// A plugin for Mosquitto 2.0: who may subscribe to what.
//
// Mosquitto's acl_file rules what is published and what is delivered, but lets everybody have every subscription, without
// limit; each is kept in memory and in the store. Here a participant has the three filters of its own, and no others:
//
//   SRUP/<username>   SRUP/<username>/#   SRUP/servers/<username>/#
//
// and hears in the groups that it is in, where only users without restrictions speak:
//
//   SRUP/groups/<group>
//
//   plugin /usr/lib/srup-c2/libBrokerGuard.so
//   plugin_opt_unrestricted c2c2 monitor           users who may subscribe to anything
//   plugin_opt_ended /var/lib/srup-c2/ended        file with users who may do nothing any more, one a line
//   plugin_opt_groups /var/lib/srup-c2/groups      who is in which group: a line "<group> <username>" for each
//
// Whoever is in that file is disconnected when the file changes, is denied everything, and is disconnected again when it tries:
// a list of revoked certificates alone (crlfile) ends no connection, and is not asked when a TLS session is resumed.
//
// The file of groups is read again when it has changed, at the next question about one: the broker need not be told.
// On all other questions it has no opinion (MOSQ_ERR_PLUGIN_DEFER), so that the acl_file answers them. Shared
// subscriptions ($share/NAME/FILTER) are filters like any other: not the participant's own.
// The broker has one thread, and calls everything here on it.

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <mosquitto.h>
#include <mosquitto_broker.h>
#include <mosquitto_plugin.h>

#include "brokerguard.h"

// Names, sorted, in one block of text.
struct names {
    char *text;
    char **all;
    size_t count;
};

enum { most_to_kick = 64, longest_name = 32, largest_file = 16 << 20 };

// Who is in which group, as lines in alphabetical order.
struct groups {
    char *path;
    char *text;
    char **lines;
    size_t count;
    struct stat seen;
};

struct guard {
    mosquitto_plugin_id_t *identifier;
    char *unrestricted; // names between single spaces, one before the first and after the last
    char *ended_path;
    struct names ended;
    struct stat ended_seen;
    bool is_seen;
    // Who has tried something although it has ended; disconnected at the next tick, not from within its own packet.
    char to_kick[most_to_kick][longest_name + 1];
    size_t kick_count;
    unsigned long denied;
    time_t logged;
    struct groups groups;
};

// What a stranger does gives one line a minute at most.
static const time_t log_interval = 60;

static bool is_unrestricted(const struct guard *guard, const char *username) {
    size_t length = strlen(username);
    if (!guard->unrestricted || length == 0 || strchr(username, ' ')) return false;
    for (const char *found = guard->unrestricted; (found = strstr(found, username)); found++) {
        if (found[-1] == ' ' && found[length] == ' ') return true;
    }
    return false;
}

// Whether `filter` begins with `text`; then it is moved behind it.
static bool take(const char **filter, const char *text) {
    size_t length = strlen(text);
    if (strncmp(*filter, text, length) != 0) return false;
    *filter += length;
    return true;
}

static bool is_own(const char *filter, const char *username) {
    // A name with these would be a wildcard itself; the key service certifies hexadecimal digits only.
    if (*username == 0 || strpbrk(username, "/+#$")) return false;
    if (!take(&filter, "SRUP/")) return false;
    bool is_server = take(&filter, "servers/");
    if (!take(&filter, username)) return false;
    return strcmp(filter, "/#") == 0 || (!is_server && *filter == 0);
}

// The file may have this size, and a group's name this length, which a user's does not exceed either.
enum { maximum_file = 4 << 20, maximum_name = 32 };

static int compare_lines(const void *left, const void *right) {
    return strcmp(*(char *const *)left, *(char *const *)right);
}

static void forget_groups(struct groups *groups) {
    free(groups->text);
    free(groups->lines);
    groups->text = NULL;
    groups->lines = NULL;
    groups->count = 0;
}

// Whoever is not in the file is in no group: one that cannot be read lets nobody in.
static void read_groups(struct groups *groups) {
    forget_groups(groups);
    FILE *file = fopen(groups->path, "re");
    if (!file) return;
    size_t size = (size_t)groups->seen.st_size;
    char *text = size <= maximum_file ? malloc(size + 1) : NULL;
    if (text) {
        size = fread(text, 1, size, file);
        text[size] = 0;
        size_t lines = 1;
        for (const char *found = text; (found = strchr(found, '\n')); found++) lines++;
        groups->text = text;
        groups->lines = malloc(lines * sizeof *groups->lines);
        char *rest = text, *line;
        while (groups->lines && (line = strsep(&rest, "\n"))) {
            if (*line && *line != '#') groups->lines[groups->count++] = line;
        }
        if (groups->lines) qsort(groups->lines, groups->count, sizeof *groups->lines, compare_lines);
    }
    fclose(file);
}

static bool has_changed(struct groups *groups) {
    struct stat now;
    if (stat(groups->path, &now) != 0) memset(&now, 0, sizeof now);
    bool is_same = now.st_ino == groups->seen.st_ino && now.st_size == groups->seen.st_size
        && now.st_mtim.tv_sec == groups->seen.st_mtim.tv_sec && now.st_mtim.tv_nsec == groups->seen.st_mtim.tv_nsec;
    groups->seen = now;
    return !is_same;
}

static bool is_member(struct guard *guard, const char *group, const char *username) {
    struct groups *groups = &guard->groups;
    if (!groups->path || strlen(group) > maximum_name || strlen(username) > maximum_name) return false;
    // A wildcard is nobody's group, nor is a level below one.
    if (*group == 0 || strpbrk(group, "/+#$ ") || strpbrk(username, " ")) return false;
    if (has_changed(groups)) read_groups(groups);
    char line[2 * maximum_name + 2], *key = line;
    snprintf(line, sizeof line, "%s %s", group, username);
    return groups->count > 0 && bsearch(&key, groups->lines, groups->count, sizeof key, compare_lines);
}

static void count_denied(struct guard *guard, const char *username) {
    guard->denied++;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    if (guard->logged != 0 && now.tv_sec - guard->logged < log_interval) return;
    // The name is from a certificate, and not its holder's choice.
    mosquitto_log_printf(
        MOSQ_LOG_NOTICE, "srup: %lu subscriptions denied that are not the subscriber's own, the last one to %.32s", guard->denied,
        username ? username : "nobody");
    guard->denied = 0;
    guard->logged = now.tv_sec;
}

static int by_name(const void *left, const void *right) { return strcmp(*(char *const *)left, *(char *const *)right); }

static bool has_name(const struct names *names, const char *name) {
    return names->count > 0 && bsearch(&name, names->all, names->count, sizeof *names->all, by_name) != NULL;
}

static void free_names(struct names *names) {
    free(names->text);
    free(names->all);
    *names = (struct names){0};
}

// Reads a whole file; false when that is impossible, and nothing is left then.
static bool read_names(const char *path, struct names *names) {
    *names = (struct names){0};
    FILE *file = fopen(path, "re");
    if (!file) return false;
    size_t room = 4096, length = 0, lines = 0;
    names->text = malloc(room + 1);
    while (names->text && length < largest_file) {
        size_t count = fread(names->text + length, 1, room - length, file);
        if (count == 0) break;
        length += count;
        if (length < room) continue;
        char *larger = realloc(names->text, 2 * room + 1);
        if (!larger) {
            free(names->text);
            names->text = NULL;
            break;
        }
        room *= 2;
        names->text = larger;
    }
    bool is_whole = names->text && feof(file) && !ferror(file);
    fclose(file);
    for (size_t i = 0; is_whole && i < length; i++) lines += names->text[i] == '\n';
    if (is_whole) names->all = malloc((lines + 1) * sizeof *names->all);
    if (!names->all) {
        free_names(names);
        return false;
    }
    names->text[length] = 0;
    char *rest = names->text;
    for (char *name; (name = strsep(&rest, "\n"));) {
        if (*name) names->all[names->count++] = name;
    }
    qsort(names->all, names->count, sizeof *names->all, by_name);
    return true;
}

static bool is_same(const struct stat *one, const struct stat *other) {
    return one->st_ino == other->st_ino && one->st_size == other->st_size && one->st_mtim.tv_sec == other->st_mtim.tv_sec
        && one->st_mtim.tv_nsec == other->st_mtim.tv_nsec;
}

// A file that is gone or cannot be read changes nothing: who has ended stays so.
static void look_at_ended(struct guard *guard) {
    struct stat now;
    if (stat(guard->ended_path, &now) != 0 || (guard->is_seen && is_same(&now, &guard->ended_seen))) return;
    struct names names;
    if (!read_names(guard->ended_path, &names)) return;
    for (size_t i = 0; i < names.count; i++) {
        if (guard->is_seen && has_name(&guard->ended, names.all[i])) continue;
        mosquitto_kick_client_by_username(names.all[i], false);
    }
    free_names(&guard->ended);
    guard->ended = names;
    guard->ended_seen = now;
    guard->is_seen = true;
}

// At least ten times a second.
static int tick(int event, void *data, void *context) {
    (void)event;
    (void)data;
    struct guard *guard = context;
    if (guard->ended_path) look_at_ended(guard);
    for (size_t i = 0; i < guard->kick_count; i++) mosquitto_kick_client_by_username(guard->to_kick[i], false);
    guard->kick_count = 0;
    return MOSQ_ERR_SUCCESS;
}

static void kick_later(struct guard *guard, const char *username) {
    if (guard->kick_count == most_to_kick || strlen(username) > longest_name) return;
    for (size_t i = 0; i < guard->kick_count; i++) {
        if (strcmp(guard->to_kick[i], username) == 0) return;
    }
    strcpy(guard->to_kick[guard->kick_count++], username);
}

static int check(int event, void *data, void *context) {
    (void)event;
    struct mosquitto_evt_acl_check *question = data;
    struct guard *guard = context;
    const char *username = mosquitto_client_username(question->client), *group = question->topic;
    if (username && has_name(&guard->ended, username)) {
        kick_later(guard, username);
        return MOSQ_ERR_ACL_DENIED;
    }
    bool is_restricted = !username || !is_unrestricted(guard, username);
    if (is_restricted && group && take(&group, "SRUP/groups/") && question->access != MOSQ_ACL_UNSUBSCRIBE) {
        // Here the access list has no word: members hear, and do not speak.
        bool hears = question->access == MOSQ_ACL_SUBSCRIBE || question->access == MOSQ_ACL_READ;
        if (hears && username && is_member(guard, group, username)) return MOSQ_ERR_SUCCESS;
        if (question->access == MOSQ_ACL_SUBSCRIBE) count_denied(guard, username);
        return MOSQ_ERR_ACL_DENIED;
    }
    if (question->access != MOSQ_ACL_SUBSCRIBE) return MOSQ_ERR_PLUGIN_DEFER;
    if (!is_restricted || (username && question->topic && is_own(question->topic, username))) return MOSQ_ERR_PLUGIN_DEFER;
    count_denied(guard, username);
    return MOSQ_ERR_ACL_DENIED;
}

int mosquitto_plugin_version(int count, const int *versions) {
    for (int i = 0; i < count; i++) {
        if (versions[i] == MOSQ_PLUGIN_VERSION) return MOSQ_PLUGIN_VERSION;
    }
    return -1;
}

// Every white space becomes one space, with one before and after.
static char *normalised(const char *names) {
    char *text = malloc(strlen(names) + 3), *end = text;
    if (!text) return NULL;
    *end++ = ' ';
    for (; *names; names++) {
        bool is_space = *names == ' ' || *names == '\t' || *names == '\r';
        if (!is_space) {
            *end++ = *names;
        } else if (end[-1] != ' ') {
            *end++ = ' ';
        }
    }
    if (end[-1] != ' ') *end++ = ' ';
    *end = 0;
    return text;
}

// Under "srup-c2 broker" the broker ends with it, even if that one is killed: else it would keep the port from the next one.
static bool stay_with_keeper(void) {
    const char *keeper = getenv("SRUP_BROKER_KEEPER");
    if (!keeper) return true;
    if (prctl(PR_SET_PDEATHSIG, SIGTERM) != 0) return true;
    // It may have ended before.
    return getppid() == (pid_t)atol(keeper);
}

static void let_go(struct guard *guard) {
    free_names(&guard->ended);
    free(guard->ended_path);
    forget_groups(&guard->groups);
    free(guard->groups.path);
    free(guard->unrestricted);
    free(guard);
}

static int take_options(struct guard *guard, const struct mosquitto_opt *options, int count) {
    for (int i = 0; i < count; i++) {
        char **place = strcmp(options[i].key, "ended") == 0 ? &guard->ended_path
            : strcmp(options[i].key, "groups") == 0         ? &guard->groups.path
            : strcmp(options[i].key, "unrestricted") == 0   ? &guard->unrestricted
                                                            : NULL;
        if (!place || *place) {
            mosquitto_log_printf(MOSQ_LOG_ERR, "srup: plugin_opt_%s is not known here, or given twice", options[i].key);
            return MOSQ_ERR_INVAL;
        }
        *place = place == &guard->unrestricted ? normalised(options[i].value) : strdup(options[i].value);
        if (!*place) return MOSQ_ERR_NOMEM;
    }
    return MOSQ_ERR_SUCCESS;
}

int mosquitto_plugin_init(
    mosquitto_plugin_id_t *identifier, void **context, struct mosquitto_opt *options, int count) {
    if (!stay_with_keeper()) return MOSQ_ERR_UNKNOWN;
    struct guard *guard = calloc(1, sizeof *guard);
    if (!guard) return MOSQ_ERR_NOMEM;
    guard->identifier = identifier;
    int code = take_options(guard, options, count);
    if (code == MOSQ_ERR_SUCCESS) {
        code = mosquitto_callback_register(identifier, MOSQ_EVT_ACL_CHECK, check, NULL, guard);
    }
    if (code == MOSQ_ERR_SUCCESS && guard->ended_path) {
        // Nobody is connected yet.
        look_at_ended(guard);
        code = mosquitto_callback_register(identifier, MOSQ_EVT_TICK, tick, NULL, guard);
        if (code != MOSQ_ERR_SUCCESS) mosquitto_callback_unregister(identifier, MOSQ_EVT_ACL_CHECK, check, NULL);
    }
    if (code != MOSQ_ERR_SUCCESS) {
        let_go(guard);
        return code;
    }
    *context = guard;
    return MOSQ_ERR_SUCCESS;
}

int mosquitto_plugin_cleanup(void *context, struct mosquitto_opt *options, int count) {
    (void)options;
    (void)count;
    struct guard *guard = context;
    if (!guard) return MOSQ_ERR_SUCCESS;
    int code = mosquitto_callback_unregister(guard->identifier, MOSQ_EVT_ACL_CHECK, check, NULL);
    if (guard->ended_path) mosquitto_callback_unregister(guard->identifier, MOSQ_EVT_TICK, tick, NULL);
    let_go(guard);
    return code;
}
