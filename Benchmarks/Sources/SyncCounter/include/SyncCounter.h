#pragma once
#include <stdint.h>

// What a program has asked of the disk, as the file that SRUP_SYNC_COUNTS names has it, in the machine's byte order.
struct srup_sync_counts {
    uint64_t fsyncs;
    uint64_t fdatasyncs;
    // Transactions that SQLite has committed to a write-ahead log.
    uint64_t commits;
};
