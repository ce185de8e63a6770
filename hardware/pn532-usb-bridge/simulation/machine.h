/* The simulated microcontroller and its time. */
#ifndef MACHINE_H
#define MACHINE_H

#include <simavr/sim_avr.h>

enum { MACHINE_HZ = 16000000 };

/* Loads the image; exits with a message if that fails. */
avr_t *machine_load(const char *elf);

/* From now on the file at `path` holds the microcontroller's time in ms (an int64_t, to be mapped). Who waits by it does not
 * mind how slow the host is. */
void machine_show_clock(const char *path);

/* Lets the microcontroller run for `us` of its own time, and sleeps where that is ahead of real time: both sides of the
 * simulation have time limits that people have to be able to trust. */
void machine_run(avr_t *avr, unsigned us);

#endif
