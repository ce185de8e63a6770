#include "wire.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <simavr/avr_ioport.h>
#include <simavr/avr_twi.h>

enum { CHIP = 0x24, READ_SIZE = 300, WRITE_SIZE = 512, READY = 0x01 };
enum { PIND_ADDRESS = 0x29, DDRD_ADDRESS = 0x2A, SCL = 0x01, SDA = 0x02 };
enum { TWBR_ADDRESS = 0xB8, TWSR_ADDRESS = 0xB9, TWSR_STATUS = 0xF8, TWCR_ADDRESS = 0xBC, TWINT = 0x80, TWEN = 0x04 };
enum { CLOCKS_PER_BYTE = 9 };

static avr_t *avr;
static struct sockaddr_un server = { .sun_family = AF_UNIX };
static int connection = -1;
static avr_irq_t *twi_input;

static bool addressed, reading, address_sent;
static uint8_t received[WRITE_SIZE], sending[READ_SIZE];
static unsigned received_count, sending_at;

static int clocks_until_released;
static bool stalled, step_done;
static avr_cycle_count_t step_ends;

/* --- the socket --- */

static void disconnect(void)
{
    if (connection >= 0)
        close(connection);
    connection = -1;
}

/* A chip that is not there may be plugged in later: each transaction tries again, but not more often than ten times in a
 * simulated second. */
static bool connected(void)
{
    static avr_cycle_count_t next_try;
    if (connection >= 0)
        return true;
    if (avr->cycle < next_try)
        return false;
    next_try = avr->cycle + MACHINE_HZ / 10;
    connection = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct timeval limit = { .tv_sec = 30 };
    setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    if (connect(connection, (struct sockaddr *)&server, sizeof server) != 0)
        disconnect();
    return connection >= 0;
}

static bool receive(uint8_t *bytes, size_t count)
{
    while (count > 0) {
        ssize_t n = recv(connection, bytes, count, 0);
        if (n <= 0 && errno == EINTR && n < 0)
            continue;
        if (n <= 0)
            return false;
        bytes += n;
        count -= (size_t)n;
    }
    return true;
}

/* True if the chip acknowledged; `answer` then holds `answer_count` bytes. */
static bool transact(char kind, unsigned n, const uint8_t *bytes, uint8_t *answer, size_t answer_count)
{
    uint8_t request[3 + WRITE_SIZE] = { (uint8_t)kind, (uint8_t)(n >> 8), (uint8_t)n };
    size_t size = 3;
    if (bytes) {
        memcpy(request + 3, bytes, n);
        size += n;
    }
    uint8_t status = 1;
    if (!connected())
        return false;
    if (send(connection, request, size, MSG_NOSIGNAL) != (ssize_t)size || !receive(&status, 1)
        || (status == 0 && !receive(answer, answer_count))) {
        disconnect();
        return false;
    }
    return status == 0;
}

/* --- the chip's side of the bus --- */

static void reply(uint8_t message, uint8_t data)
{
    avr_raise_irq(twi_input, avr_twi_irq_msg(message, CHIP << 1, data));
}

/* Every address is answered by asking for the ready byte: that tells whether a chip is there and changes nothing in it. */
static void on_start(uint8_t address)
{
    reading = address & 1;
    address_sent = true;
    received_count = sending_at = 0;
    memset(sending, 0, sizeof sending);
    addressed = address >> 1 == CHIP && transact('R', 1, NULL, sending, 1);
    if (addressed && reading && (sending[0] & READY))
        addressed = transact('R', READ_SIZE, NULL, sending, READ_SIZE);
    if (addressed)
        reply(TWI_COND_ACK, 1);
}

static void on_end(void)
{
    if (addressed && !reading && received_count > 0)
        transact('W', received_count, received, NULL, 0);
    addressed = false;
}

static void on_twi(struct avr_irq_t *irq, uint32_t value, void *unused)
{
    (void)irq, (void)unused;
    avr_twi_msg_irq_t message = { .u.v = value };
    uint8_t what = message.u.twi.msg;
    if (what & (TWI_COND_STOP | TWI_COND_START))
        on_end();
    if (what & TWI_COND_START)
        on_start(message.u.twi.addr);
    if (!addressed)
        return;
    if (what & TWI_COND_WRITE) {
        if (received_count < sizeof received)
            received[received_count++] = message.u.twi.data;
        reply(TWI_COND_ACK, 1);
    }
    if (what & TWI_COND_READ)
        reply(TWI_COND_READ, sending_at < sizeof sending ? sending[sending_at++] : 0);
}

/* simavr 1.6 reports an address for writing as if it had been a data byte (28 and 30 instead of 18 and 20). The register is
 * put right before the firmware can see it; a simavr that does it right is left alone. */
static void on_status(struct avr_irq_t *irq, uint32_t status, void *unused)
{
    (void)irq, (void)unused;
    if (address_sent && !reading && (status == 0x28 || status == 0x30))
        avr->data[TWSR_ADDRESS] = (uint8_t)((avr->data[TWSR_ADDRESS] & ~TWSR_STATUS) | (status - 0x10));
    address_sent = false;
}

/* simavr 1.6 forgets to clear TWINT on a write of 1 unless the interrupt is enabled; this firmware polls. The next event comes
 * by a timer, so it cannot have been set again already. */
static avr_io_write_t write_control;
static void *write_control_parameter;

static void on_control(struct avr_t *machine, avr_io_addr_t address, uint8_t value, void *unused)
{
    (void)unused;
    write_control(machine, address, value, write_control_parameter);
    if (value & TWINT) {
        machine->data[TWCR_ADDRESS] &= (uint8_t)~TWINT;
        step_ends = machine->cycle + CLOCKS_PER_BYTE * (16u + 2u * machine->data[TWBR_ADDRESS]);
    }
    step_done = false;
    if (!(value & TWEN))
        stalled = false;
}

/* simavr 1.6 carries out a step within 9 us, whatever TWBR says. So TWINT is hidden until the time is right. What a read hook
 * returns is stored in the register too: that TWINT has come must be remembered here. */
static uint8_t read_control(struct avr_t *machine, avr_io_addr_t address, void *unused)
{
    (void)unused;
    uint8_t value = machine->data[address];
    step_done |= (value & TWINT) != 0;
    if (!step_done || stalled || machine->cycle < step_ends)
        return value & (uint8_t)~TWINT;
    return value | TWINT;
}

/* --- the lines, as far as the firmware drives and reads them as pins --- */

/* simavr's ports know no open-drain bus: a line is low if the firmware drives it (it never drives high) or the chip holds it. */
static uint8_t read_lines(struct avr_t *machine, avr_io_addr_t address, void *unused)
{
    (void)address, (void)unused;
    uint8_t low = machine->data[DDRD_ADDRESS] & (SCL | SDA);
    if (clocks_until_released > 0)
        low |= SDA;
    return (uint8_t)~low;
}

static void on_direction(struct avr_irq_t *irq, uint32_t value, void *unused)
{
    (void)irq, (void)unused;
    static uint32_t before;
    if ((value & SCL) && !(before & SCL) && clocks_until_released > 0 && --clocks_until_released == 0)
        fprintf(stderr, "bridge-in-simavr: SDA released\n");
    before = value;
}

void wire_stick(void)
{
    clocks_until_released = 9;
}

void wire_stall(void)
{
    stalled = true;
}

void wire_begin(avr_t *machine, const char *socket_path)
{
    avr = machine;
    snprintf(server.sun_path, sizeof server.sun_path, "%s", socket_path);
    twi_input = avr_io_getirq(avr, AVR_IOCTL_TWI_GETIRQ(0), TWI_IRQ_INPUT);
    avr_irq_register_notify(avr_io_getirq(avr, AVR_IOCTL_TWI_GETIRQ(0), TWI_IRQ_OUTPUT), on_twi, NULL);
    avr_irq_register_notify(avr_io_getirq(avr, AVR_IOCTL_TWI_GETIRQ(0), TWI_IRQ_STATUS), on_status, NULL);
    avr_irq_register_notify(avr_io_getirq(avr, AVR_IOCTL_IOPORT_GETIRQ('D'), IOPORT_IRQ_DIRECTION_ALL), on_direction, NULL);
    write_control = avr->io[AVR_DATA_TO_IO(TWCR_ADDRESS)].w.c;
    write_control_parameter = avr->io[AVR_DATA_TO_IO(TWCR_ADDRESS)].w.param;
    avr->io[AVR_DATA_TO_IO(TWCR_ADDRESS)].w.c = on_control;
    avr->io[AVR_DATA_TO_IO(TWCR_ADDRESS)].r.c = read_control;
    avr->io[AVR_DATA_TO_IO(PIND_ADDRESS)].r.c = read_lines;
}
