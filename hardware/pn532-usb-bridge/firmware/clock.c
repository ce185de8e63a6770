#include "clock.h"

#include <avr/io.h>

/* Timer 1 runs freely and is only read: with no interrupts at all, nothing in this firmware can come between anything. */
enum { TICKS_PER_MS = F_CPU / 64 / 1000 };

static uint16_t counted, milliseconds;

void clock_begin(void)
{
    TCCR1A = 0;
    TCCR1B = _BV(CS11) | _BV(CS10);     /* clock / 64 */
    TIMSK1 = 0;
    counted = TCNT1;
}

uint16_t clock_ms(void)
{
    while ((uint16_t)(TCNT1 - counted) >= TICKS_PER_MS) {
        counted += TICKS_PER_MS;
        milliseconds++;
    }
    return milliseconds;
}
