/* Time since the start in milliseconds; wraps after 65 s. Has to be asked at least every 200 ms. */
#ifndef CLOCK_H
#define CLOCK_H

#include <stdint.h>

void clock_begin(void);
uint16_t clock_ms(void);

#endif
