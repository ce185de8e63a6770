#include "machine.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <simavr/sim_elf.h>

enum { AHEAD_NS = 1000000, BEHIND_NS = 100000000 };

static void log_errors(avr_t *avr, const int level, const char *format, va_list arguments)
{
    (void)avr;
    if (level <= LOG_ERROR)
        vfprintf(stderr, format, arguments);
}

avr_t *machine_load(const char *elf)
{
    avr_global_logger_set(log_errors);
    elf_firmware_t firmware = { 0 };
    if (elf_read_firmware(elf, &firmware) != 0) {
        fprintf(stderr, "bridge-in-simavr: cannot read %s\n", elf);
        exit(1);
    }
    avr_t *avr = avr_make_mcu_by_name("atmega32u4");
    if (!avr) {
        fprintf(stderr, "bridge-in-simavr: this simavr has no atmega32u4\n");
        exit(1);
    }
    avr_init(avr);
    firmware.frequency = MACHINE_HZ;
    avr_load_firmware(avr, &firmware);
    return avr;
}

static _Atomic int64_t *shown_ms;

void machine_show_clock(const char *path)
{
    int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    void *memory = MAP_FAILED;
    if (file >= 0 && ftruncate(file, sizeof *shown_ms) == 0)
        memory = mmap(NULL, sizeof *shown_ms, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (memory == MAP_FAILED) {
        perror(path);
        exit(1);
    }
    close(file);
    shown_ms = memory;
}

static int64_t real_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

/* Sleeps while simulated time is ahead. A host that is too slow is not caught up with: then simulated time is simply late. */
static void keep_pace(avr_t *avr)
{
    static int64_t origin;
    int64_t simulated = (int64_t)(avr->cycle * (1000000000 / MACHINE_HZ));
    int64_t ahead = simulated - (real_ns() - origin);
    if (origin == 0 || ahead < -BEHIND_NS)
        origin = real_ns() - simulated;
    else if (ahead > AHEAD_NS)
        nanosleep(&(struct timespec) { .tv_nsec = ahead < BEHIND_NS ? ahead : BEHIND_NS }, NULL);
}

void machine_run(avr_t *avr, unsigned us)
{
    avr_cycle_count_t until = avr->cycle + (avr_cycle_count_t)us * (MACHINE_HZ / 1000000);
    while (avr->cycle < until) {
        int state = avr_run(avr);
        if (state == cpu_Done || state == cpu_Crashed) {
            fprintf(stderr, "bridge-in-simavr: the firmware has stopped (state %d) at %#x\n", state, avr->pc);
            exit(1);
        }
    }
    if (shown_ms)
        *shown_ms = (int64_t)(avr->cycle / (MACHINE_HZ / 1000));
    keep_pace(avr);
}
