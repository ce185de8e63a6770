#pragma once

// Bounds nanosleep() on the calling thread to so many nanoseconds; 0: not bounded.
//
// libnfc 1.8.0's I2C driver leaves 5 ms between two transactions, and takes the time since the last one from the
// nanoseconds of two clock readings without their seconds: when a second has begun in between, it sleeps for almost a
// second, in the middle of a tap. This program's nanosleep() takes the C library's place for it.
void srup_bound_sleeps(long nanoseconds);
