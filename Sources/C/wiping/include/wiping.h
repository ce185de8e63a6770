#pragma once

// A program that links this wipes its heap: free() and realloc() take the C library's place, and what they give back is
// overwritten first. So no copy of a secret outlives its owner, whoever made it: a Swift string or array, OpenSSL, SQLite,
// zbar, libnfc, libmosquitto, the C library itself. All that was allocated is wiped, pictures too.
//
// It does not reach what is still owned, thread stacks (srup_wipe_stack), and the kernel's buffers.
