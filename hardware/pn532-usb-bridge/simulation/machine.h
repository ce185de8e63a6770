/* The simulated microcontroller and its time. */
#ifndef MACHINE_H
#define MACHINE_H

#include <simavr/sim_avr.h>

enum { MACHINE_HZ = 16000000 };

/* Loads the image; exits with a message if that fails. */
avr_t *machine_load(const char *elf);

/* Lets the microcontroller run for `us` of its own time, and sleeps where that is ahead of real time: both sides of the
 * simulation have time limits that people have to be able to trust. */
void machine_run(avr_t *avr, unsigned us);

#endif
