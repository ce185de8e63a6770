#include "twi.h"

#include <avr/io.h>
#include <util/delay.h>

#include "bus.h"
#include "clock.h"
#include "usb.h"

enum {
    /* The chip's data sheet asks for 1.3 ms between a STOP and the next START. Counted in whole milliseconds of a running
     * clock, 3 means a gap of 2 to 3 ms. (libnfc's own I2C driver waits 5 ms.) */
    FREE_MS = 3,
    STEP_MS = 20,               /* one byte takes 0.09 ms; the rest is for a chip that stretches the clock as it wakes up */
    TRANSACTION_MS = 150,       /* the longest frame takes 25 ms */
    BUS_HZ = 100000,
    HALF_CLOCK_US = 5,
};

/* TWSR without its prescaler bits. */
enum {
    STATUS = 0xF8,
    STARTED = 0x08,
    STARTED_AGAIN = 0x10,
    WRITE_ADDRESS_ACK = 0x18,
    WRITE_ADDRESS_NACK = 0x20,
    WRITE_DATA_ACK = 0x28,
    WRITE_DATA_NACK = 0x30,
    READ_ADDRESS_ACK = 0x40,
    READ_ADDRESS_NACK = 0x48,
    READ_DATA_ACK = 0x50,
    READ_DATA_NACK = 0x58,
};

static uint16_t begun, ended;

static void unit_on(void)
{
    TWBR = (F_CPU / BUS_HZ - 16) / 2;
    TWSR = 0;
    TWCR = _BV(TWEN);
}

void twi_begin(void)
{
    /* No pull-ups of our own: they would pull the chip's 3.3 V bus to this board's supply. */
    DDRD &= (uint8_t)~(_BV(PD0) | _BV(PD1));
    PORTD &= (uint8_t)~(_BV(PD0) | _BV(PD1));
    ended = clock_ms();
    unit_on();
}

static void scl_low(void) { DDRD |= _BV(PD0); _delay_us(HALF_CLOCK_US); }
static void scl_release(void) { DDRD &= (uint8_t)~_BV(PD0); _delay_us(HALF_CLOCK_US); }
static void sda_low(void) { DDRD |= _BV(PD1); _delay_us(HALF_CLOCK_US); }
static void sda_release(void) { DDRD &= (uint8_t)~_BV(PD1); _delay_us(HALF_CLOCK_US); }

static bool lines_are_high(void)
{
    return (PIND & (_BV(PD0) | _BV(PD1))) == (_BV(PD0) | _BV(PD1));
}

/* A chip that was interrupted while it sent a 0 holds SDA low until it has been given its remaining clocks: up to nine, then
 * a STOP. The pins are only ever driven low; high is left to the pull-ups. */
static void recover(void)
{
    TWCR = 0;
    for (uint8_t i = 0; i < 9 && !(PIND & _BV(PD1)); i++) {
        scl_low();
        scl_release();
    }
    scl_low();
    sda_low();
    scl_release();
    sda_release();
    unit_on();
    ended = clock_ms();
}

static bool within(uint16_t from, uint16_t limit)
{
    return (uint16_t)(clock_ms() - from) < limit;
}

/* Waits until the unit has done its step, and answers USB control requests meanwhile. */
static bool step_done(void)
{
    uint16_t from = clock_ms();
    while (!(TWCR & _BV(TWINT))) {
        usb_poll();
        if (!within(from, STEP_MS) || !within(begun, TRANSACTION_MS))
            return false;
    }
    return true;
}

static uint8_t step(uint8_t control)
{
    TWCR = (uint8_t)(_BV(TWINT) | _BV(TWEN) | control);
    return step_done() ? TWSR & STATUS : 0;     /* 0 is the unit's own code for a bus error */
}

static void stop(void)
{
    uint16_t from = clock_ms();
    TWCR = _BV(TWINT) | _BV(TWEN) | _BV(TWSTO);
    while (TWCR & _BV(TWSTO)) {
        if (!within(from, STEP_MS)) {
            recover();
            return;
        }
    }
    ended = clock_ms();
}

/* Ends a transaction that has gone wrong; always false. A missing acknowledge leaves a healthy bus. */
static bool failed(uint8_t status)
{
    if (status == WRITE_ADDRESS_NACK || status == WRITE_DATA_NACK || status == READ_ADDRESS_NACK)
        stop();
    else
        recover();
    return false;
}

/* A chip may still hold SCL for a while; what lasts longer than a step is a stuck bus. */
static bool lines_come_high(void)
{
    while (!lines_are_high()) {
        usb_poll();
        if (!within(begun, STEP_MS))
            return false;
    }
    return true;
}

static bool begin(uint8_t address, uint8_t expected)
{
    begun = clock_ms();
    if (!lines_come_high())
        return failed(0);
    uint8_t status = step(_BV(TWSTA));
    if (status != STARTED && status != STARTED_AGAIN)
        return failed(status);
    TWDR = address;
    status = step(0);
    return status == expected ? true : failed(status);
}

bool bus_is_free(void)
{
    return !within(ended, FREE_MS);
}

bool bus_write(const uint8_t *bytes, uint16_t count)
{
    if (!begin(BUS_ADDRESS << 1, WRITE_ADDRESS_ACK))
        return false;
    while (count--) {
        TWDR = *bytes++;
        uint8_t status = step(0);
        if (status != WRITE_DATA_ACK)
            return failed(status);
    }
    stop();
    return true;
}

bool bus_read_begin(void)
{
    return begin(BUS_ADDRESS << 1 | 1, READ_ADDRESS_ACK);
}

bool bus_read_byte(uint8_t *byte, bool last)
{
    uint8_t status = step(last ? 0 : _BV(TWEA));
    if (status != (last ? READ_DATA_NACK : READ_DATA_ACK))
        return failed(0);
    *byte = TWDR;
    return true;
}

void bus_read_end(void)
{
    stop();
}
