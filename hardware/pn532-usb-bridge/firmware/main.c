#include <avr/interrupt.h>
#include <avr/io.h>
#include <avr/power.h>
#include <avr/wdt.h>

#include "bridge.h"
#include "clock.h"
#include "twi.h"
#include "usb.h"

/* The two LEDs of a Pro Micro, Leonardo or Micro, lit by a low level. */
enum { LED_BUSY = PB0 /* "RX" */, LED_FAULT = PD5 /* "TX" */ };

enum { BOOT_LOADER_BAUD = 1200 };

static struct bridge bridge;

/* After a reset by the watchdog it goes on running, at its shortest time: it has to be stopped before anything else. */
static void stop_watchdog(void) __attribute__((naked, used, section(".init3")));
static void stop_watchdog(void)
{
    MCUSR = 0;
    wdt_disable();
}

/* The boot loader of these boards stays when it finds this word after a reset by the watchdog. Older versions look for it at
 * 0x0800, newer ones at the end of RAM. Both are overwritten freely: there is no way back from here. */
static void start_boot_loader(void)
{
    *(volatile uint16_t *)0x0800 = 0x7777;
    *(volatile uint16_t *)(RAMEND - 1) = 0x7777;
    wdt_enable(WDTO_120MS);
    for (;;)
        ;
}

static void show(void)
{
    if (bridge.state != BRIDGE_IDLE)
        PORTB &= (uint8_t)~_BV(LED_BUSY);
    else
        PORTB |= _BV(LED_BUSY);
    if (bridge.fault)
        PORTD &= (uint8_t)~_BV(LED_FAULT);
    else
        PORTD |= _BV(LED_FAULT);
}

static void host_gone(uint16_t now)
{
    if (usb_baud() == BOOT_LOADER_BAUD)
        start_boot_loader();
    bridge_host_gone(&bridge, now);
}

int main(void)
{
    cli();
    clock_prescale_set(clock_div_1);    /* some boards' fuses start at an eighth of the speed */
    wdt_enable(WDTO_1S);
    DDRB |= _BV(LED_BUSY);
    DDRD |= _BV(LED_FAULT);
    clock_begin();
    twi_begin();
    usb_begin();
    bridge_reset(&bridge, clock_ms());
    for (;;) {
        wdt_reset();
        uint16_t now = clock_ms();
        usb_poll();
        if (usb_host_gone())
            host_gone(now);
        uint8_t byte;
        while (bridge_takes(&bridge) && usb_receive(&byte))
            bridge_put(&bridge, byte, now);
        const uint8_t *bytes;
        uint16_t count = bridge_output(&bridge, &bytes);
        bridge_output_sent(&bridge, usb_send(bytes, count));
        bridge_step(&bridge, now);
        show();
    }
}
