#include <sqlite3.h>

// Closing the last connection would write the log into the file; variadic, which Swift cannot call by itself.
static inline int srup_sqlite_leave_log(sqlite3 *database) {
    return sqlite3_db_config(database, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, (int *)0);
}
