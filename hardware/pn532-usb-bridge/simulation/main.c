/* bridge-in-simavr [--elf FILE] --pty PATH --i2c SOCKET [--clock FILE]
 *
 * Runs the firmware's image. PATH becomes a link to a pseudo terminal, as if it were /dev/ttyACM0; SOCKET is where the
 * simulated PN532 listens; FILE shows the simulated time (see machine.h). Signal USR1: SDA sticks, USR2: the I2C unit stalls
 * (see wire.h). Ends by TERM or INT. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

#include "host.h"
#include "wire.h"

enum { ROUND_US = 125 };

static volatile sig_atomic_t ended, stick, stall;

static void on_signal(int number)
{
    if (number == SIGUSR1)
        stick = 1;
    else if (number == SIGUSR2)
        stall = 1;
    else
        ended = 1;
}

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

/* Raw, and with HUPCL as a real serial device has it. The other side is opened once and closed, so that from then on the
 * system tells whether someone has it open. */
static int open_terminal(const char *link)
{
    int terminal = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    if (terminal < 0 || grantpt(terminal) != 0 || unlockpt(terminal) != 0)
        fail("bridge-in-simavr: pseudo terminal");
    int other = open(ptsname(terminal), O_RDWR | O_NOCTTY);
    struct termios settings;
    if (other < 0 || tcgetattr(other, &settings) != 0)
        fail("bridge-in-simavr: pseudo terminal");
    cfmakeraw(&settings);
    settings.c_cflag |= HUPCL | CLOCAL;
    cfsetspeed(&settings, B9600);
    tcsetattr(other, TCSANOW, &settings);
    close(other);
    unlink(link);
    if (symlink(ptsname(terminal), link) != 0)
        fail(link);
    return terminal;
}

static void catch_signals(void)
{
    struct sigaction action = { .sa_handler = on_signal };
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGUSR1, &action, NULL);
    sigaction(SIGUSR2, &action, NULL);
}

int main(int count, char **arguments)
{
    const char *elf = "build/bridge.elf", *link = NULL, *socket = NULL, *clock = NULL;
    static const struct option options[] = {
        { "elf", required_argument, NULL, 'e' }, { "pty", required_argument, NULL, 'p' },
        { "i2c", required_argument, NULL, 'i' }, { "clock", required_argument, NULL, 'c' }, { NULL, 0, NULL, 0 },
    };
    for (int option; (option = getopt_long(count, arguments, "", options, NULL)) != -1;) {
        if (option == 'e') elf = optarg;
        else if (option == 'p') link = optarg;
        else if (option == 'i') socket = optarg;
        else if (option == 'c') clock = optarg;
        else link = NULL, optind = count;
    }
    if (!link || !socket) {
        fprintf(stderr, "usage: bridge-in-simavr [--elf FILE] --pty PATH --i2c SOCKET [--clock FILE]\n");
        return 2;
    }
    catch_signals();
    avr_t *avr = machine_load(elf);
    if (clock)
        machine_show_clock(clock);
    wire_begin(avr, socket);
    host_begin(avr);
    int terminal = open_terminal(link);     /* only now: who sees the link finds a device behind it */
    while (!ended) {
        machine_run(avr, ROUND_US);
        host_serve(avr, terminal);
        if (stick)
            wire_stick(), stick = 0;
        if (stall)
            wire_stall(), stall = 0;
    }
    unlink(link);
    return 0;
}
