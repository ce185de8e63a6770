/* A USB host: it enumerates the device as Linux does, and then is the cdc-acm driver between its endpoints and a pseudo
 * terminal. */
#ifndef HOST_H
#define HOST_H

#include "machine.h"

/* Waits for the device to attach, enumerates it, checks every descriptor, sets the configuration. Exits on a mistake. */
void host_begin(avr_t *avr);

/* One round of the driver: what can be moved now is moved. Enumerates again when the device has come again. */
void host_serve(avr_t *avr, int terminal);

#endif
