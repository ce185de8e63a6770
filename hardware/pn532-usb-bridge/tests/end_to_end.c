/* The image in the simulated microcontroller, from the pseudo terminal to the chip's socket and back. Times are the simulated
 * microcontroller's: a host that is slow or busy makes this last longer, and nothing else. What a test waits for has seconds,
 * since the pseudo terminal is the host's, and late when the host is.
 *
 *   end-to-end BUILD     runs BUILD/bridge-in-simavr and BUILD/fake-chip in a temporary folder
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "test.h"

static const char *build;
static char folder[64] = "/tmp/bridge-test-XXXXXX", pty[96], sock[96], clock_file[96], chip_log[96], simulator_log[96];
static const volatile int64_t *simulated_ms;
static pid_t simulator, chip;
static int line = -1;

#define WAKE_UP "\x55\x55\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
#define ACK "\0\0\xFF\0\xFF\0"
#define GET_VERSION "\0\0\xFF\x02\xFE\xD4\x02\x2A\0"
#define VERSION "\0\0\xFF\x06\xFA\xD5\x03\x32\x01\x06\x07\xE8\0"
#define TARGET "\0\0\xFF\x02\xFE\xD4\x8C\xA0\0"
#define ERROR "\0\0\xFF\x01\xFF\x7F\x81\0"
#define BYTES(literal) literal, sizeof(literal) - 1

enum { LIMIT_MS = 5000, REAL_LIMIT_MS = 60000 };

static void nap_really(int ms)
{
    nanosleep(&(struct timespec) { .tv_nsec = ms * 1000000L }, NULL);
}

static int64_t now_ms(void)
{
    return *simulated_ms;
}

static void nap(int ms)
{
    for (int64_t until = now_ms() + ms; now_ms() < until; nap_really(1))
        CHECK(waitpid(simulator, NULL, WNOHANG) == 0);
}

static void await_file(const char *path)
{
    struct stat info;
    for (int waited = 0; lstat(path, &info) != 0; waited += 5) {
        CHECK(waited < REAL_LIMIT_MS);
        nap_really(5);
    }
}

/* Until what the function counts is more than it was. */
static void await_more(int (*count)(void), int than)
{
    for (int64_t until = now_ms() + LIMIT_MS; count() <= than; nap(5))
        CHECK(now_ms() < until);
}

/* Standard output or error of a child goes to the end of a file. */
static pid_t start(char *const arguments[], int descriptor, const char *output)
{
    pid_t child = fork();
    CHECK(child >= 0);
    if (child > 0)
        return child;
    dup2(open(output, O_WRONLY | O_CREAT | O_APPEND, 0600), descriptor);
    execv(arguments[0], arguments);
    perror(arguments[0]);
    _exit(1);
}

static void stop(pid_t *child)
{
    if (*child <= 0)
        return;
    kill(*child, SIGTERM);
    waitpid(*child, NULL, 0);
    *child = 0;
}

static void clean_up(void)
{
    stop(&simulator);
    stop(&chip);
    unlink(pty);
    unlink(sock);
    unlink(clock_file);
    unlink(chip_log);
    unlink(simulator_log);
    rmdir(folder);
}

static void start_chip(const char *behaviour)
{
    char program[256];
    snprintf(program, sizeof program, "%s/fake-chip", build);
    stop(&chip);
    unlink(sock);
    chip = start((char *[]) { program, sock, (char *)behaviour, NULL }, STDOUT_FILENO, chip_log);
    await_file(sock);
}

static void open_line(speed_t speed)
{
    await_file(pty);
    line = open(pty, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    CHECK(line >= 0);
    struct termios settings;
    CHECK(tcgetattr(line, &settings) == 0);
    cfmakeraw(&settings);
    cfsetspeed(&settings, speed);
    CHECK(tcsetattr(line, TCSANOW, &settings) == 0);
}

static void close_line(void)
{
    close(line);
    line = -1;
}

static void say(const void *bytes, size_t count)
{
    for (size_t done = 0; done < count;) {
        ssize_t n = write(line, (const char *)bytes + done, count - done);
        CHECK(n > 0 || errno == EAGAIN);
        if (n > 0)
            done += (size_t)n;
        else
            nap(1);
    }
}

static size_t hear(uint8_t *bytes, size_t count, int limit_ms)
{
    size_t done = 0;
    for (int64_t until = now_ms() + limit_ms; done < count && now_ms() < until;) {
        CHECK(waitpid(simulator, NULL, WNOHANG) == 0);
        struct pollfd wait = { .fd = line, .events = POLLIN };
        poll(&wait, 1, 10);
        ssize_t n = read(line, bytes + done, count - done);
        done += n > 0 ? (size_t)n : 0;
    }
    return done;
}

/* Exactly these bytes come. */
static void expect(const void *bytes, size_t count)
{
    uint8_t heard[1024];
    size_t n = hear(heard, count, LIMIT_MS);
    if (n == count && memcmp(heard, bytes, count) == 0)
        return;
    fprintf(stderr, "heard %zu bytes of %zu:", n, count);
    for (size_t i = 0; i < n; i++)
        fprintf(stderr, " %02X", heard[i]);
    fprintf(stderr, "\n");
    CHECK(!"the expected bytes came");
}

static void expect_silence(int ms)
{
    uint8_t byte;
    CHECK(hear(&byte, 1, ms) == 0);
}

static void version_is_answered(void)
{
    say(BYTES(GET_VERSION));
    expect(BYTES(ACK VERSION));
}

static int lines_with(const char *path, const char *what)
{
    char text[4096];
    int count = 0;
    FILE *log = fopen(path, "r");
    CHECK(log);
    while (fgets(text, sizeof text, log))
        count += strstr(text, what) == text;
    fclose(log);
    return count;
}

/* How often the chip was told to abort, and how often the device was enumerated. */
static int aborts(void)
{
    return lines_with(chip_log, "00 00 FF 00 FF 00\n");
}

static int enumerations(void)
{
    return lines_with(simulator_log, "bridge-in-simavr: 1209:0001 SRUP observer, SRUP PN532 bridge, serial");
}

static size_t diagnose(uint8_t *frame, uint8_t tfi, uint8_t code, size_t size)
{
    size_t n = 0;
    uint8_t check = 0;
    memcpy(frame, "\0\0\xFF\xFF\xFF", 5);
    if (size > 255) {
        frame[5] = (uint8_t)(size >> 8);
        frame[6] = (uint8_t)size;
        frame[7] = (uint8_t)-(frame[5] + frame[6]);
        n = 8;
    } else {
        frame[3] = (uint8_t)size;
        frame[4] = (uint8_t)-size;
        n = 5;
    }
    for (size_t i = 0; i < size; i++) {
        /* Start codes in the data must not matter: 00 00 FF again and again. */
        uint8_t data = i == 0 ? tfi : i == 1 ? code : i == 2 ? 0 : i % 3 == 2 ? 0xFF : 0x00;
        check = (uint8_t)(check + data);
        frame[n++] = data;
    }
    frame[n++] = (uint8_t)-check;
    frame[n++] = 0;
    return n;
}

/* --- tests --- */

static void wake_up_and_command_in_one_write_are_answered(void)
{
    say(BYTES(WAKE_UP GET_VERSION));
    expect(BYTES(ACK VERSION));
}

static void a_command_byte_by_byte_is_answered(void)
{
    for (size_t i = 0; i < sizeof GET_VERSION - 1; i++) {
        say(GET_VERSION + i, 1);
        nap(3);
    }
    expect(BYTES(ACK VERSION));
}

/* Among these lengths are answers of 64, 128, 192 and 256 bytes, which need an empty USB packet at their end. */
static void frames_of_all_lengths_come_back(void)
{
    static const size_t sizes[] = { 3, 4, 56, 57, 58, 121, 185, 248, 249, 254, 255, 256, 262, 265 };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        uint8_t command[300], answer[300];
        size_t n = diagnose(command, 0xD4, 0x00, sizes[i]);
        CHECK(diagnose(answer, 0xD5, 0x01, sizes[i]) == n);
        if (sizes[i] == 255)        /* LEN = FF with LCS = 01 is a normal frame */
            CHECK(command[3] == 0xFF && command[4] == 0x01);
        say(command, n);
        expect(BYTES(ACK));
        expect(answer, n);
    }
}

static void garbage_before_a_command_is_dropped(void)
{
    say(BYTES("\xFF\x13\x00\xFF\x07\x07\x00\x00\xFF\x12\x34" GET_VERSION));
    expect(BYTES(ACK VERSION));
}

static void a_torn_frame_does_not_swallow_the_next_for_ever(void)
{
    say(BYTES("\0\0\xFF\x20\xE0\xD4\x00"));
    nap(300);
    version_is_answered();
    say(BYTES("\0\0\xFF\x20\xE0\xD4\x00" GET_VERSION));     /* the next one ends inside it */
    expect(BYTES(ACK VERSION));
}

static void a_flood_of_noise_leaves_the_bridge_alive(void)
{
    uint8_t noise[20000];
    uint32_t seed = 1;
    for (size_t i = 0; i < sizeof noise; i++)
        noise[i] = (uint8_t)((seed = seed * 1664525 + 1013904223) >> 24);
    say(noise, sizeof noise);
    uint8_t answers[256];
    while (hear(answers, sizeof answers, 400) > 0)
        ;
    version_is_answered();
}

static void an_ack_from_the_host_aborts(void)
{
    int before = aborts();
    say(BYTES(TARGET));
    expect(BYTES(ACK));
    expect_silence(100);
    say(BYTES(ACK));
    await_more(aborts, before);
    expect_silence(50);
    CHECK(aborts() == before + 1);
    version_is_answered();
}

static void a_new_command_replaces_one_that_waits(void)
{
    say(BYTES(TARGET));
    expect(BYTES(ACK));
    version_is_answered();
}

static void a_nack_from_the_host_repeats_the_answer(void)
{
    version_is_answered();
    say(BYTES("\0\0\xFF\xFF\0\0"));
    expect(BYTES(VERSION));
}

static void closing_the_line_aborts(void)
{
    int before = aborts();
    say(BYTES(TARGET));
    expect(BYTES(ACK));
    close_line();
    await_more(aborts, before);
    open_line(B115200);
    version_is_answered();
}

static void a_missing_chip_is_an_error_and_may_come_back(void)
{
    stop(&chip);
    say(BYTES(GET_VERSION));
    expect(BYTES(ERROR));
    start_chip("absent");
    nap(120);
    say(BYTES(GET_VERSION));
    expect(BYTES(ERROR));
    start_chip(NULL);
    nap(120);
    version_is_answered();
}

static void a_chip_lost_while_it_works_is_an_error(void)
{
    say(BYTES(TARGET));
    expect(BYTES(ACK));
    stop(&chip);
    expect(BYTES(ERROR));
    start_chip(NULL);
    nap(120);
    version_is_answered();
}

static void a_chip_that_is_never_ready_is_an_error(void)
{
    start_chip("never-ready");
    nap(120);
    say(BYTES(GET_VERSION));
    expect(BYTES(ERROR));
}

static void a_chip_that_sends_garbage_is_an_error(void)
{
    start_chip("garbage");
    nap(120);
    say(BYTES(GET_VERSION));
    expect(BYTES(ERROR));
}

static void a_damaged_answer_is_asked_for_again(void)
{
    start_chip("bad-once");
    nap(120);
    version_is_answered();
    CHECK(lines_with(chip_log, "00 00 FF FF 00 00") >= 1);
}

static void a_sleeping_chip_is_tried_again(void)
{
    start_chip("sleepy");
    nap(120);
    version_is_answered();
}

static void a_stuck_data_line_is_freed(void)
{
    start_chip(NULL);
    nap(120);
    version_is_answered();
    kill(simulator, SIGUSR1);
    nap(50);
    version_is_answered();
}

static void a_stalled_bus_unit_is_restarted(void)
{
    kill(simulator, SIGUSR2);
    nap(50);
    version_is_answered();
    say(BYTES(TARGET));
    expect(BYTES(ACK));
    kill(simulator, SIGUSR2);           /* in the middle of waiting for an answer */
    expect_silence(100);
    version_is_answered();
}

/* What is left when the host's program is killed: the kernel closes the port, but libnfc has asked it to leave DTR on. */
static void a_program_that_is_killed_leaves_a_working_bridge(void)
{
    struct termios settings;
    tcgetattr(line, &settings);
    settings.c_cflag &= ~(tcflag_t)HUPCL;
    tcsetattr(line, TCSANOW, &settings);
    say(BYTES(TARGET));
    expect(BYTES(ACK));
    say(BYTES("\0\0\xFF\x20\xE0\xD4"));
    nap(50);
    close_line();
    nap(100);
    open_line(B115200);
    settings.c_cflag |= HUPCL;
    tcsetattr(line, TCSANOW, &settings);
    nap(100);
    version_is_answered();
}

/* Without a boot loader the same firmware starts again: the device goes and comes back. */
static void closing_at_1200_baud_restarts_the_board(void)
{
    close_line();
    open_line(B1200);
    nap(50);
    close_line();
    await_more(enumerations, 1);
    open_line(B115200);
    version_is_answered();
}

static void how_long_a_command_takes(void)
{
    enum { TIMES = 50 };
    int64_t from = now_ms();
    for (int i = 0; i < TIMES; i++)
        version_is_answered();
    printf("      command, ACK and answer: %.1f ms each, of simulated time\n", (double)(now_ms() - from) / TIMES);
}

/* Here it is made, by the simulator it is kept. */
static const volatile int64_t *shared_clock(void)
{
    int file = open(clock_file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    CHECK(file >= 0 && ftruncate(file, sizeof(int64_t)) == 0);
    void *memory = mmap(NULL, sizeof(int64_t), PROT_READ, MAP_SHARED, file, 0);
    CHECK(memory != MAP_FAILED);
    close(file);
    return memory;
}

static void prepare(const char *build_folder)
{
    char program[256], elf[256];
    build = build_folder;
    CHECK(mkdtemp(folder));
    snprintf(pty, sizeof pty, "%s/tty", folder);
    snprintf(sock, sizeof sock, "%s/chip", folder);
    snprintf(chip_log, sizeof chip_log, "%s/chip.log", folder);
    snprintf(clock_file, sizeof clock_file, "%s/clock", folder);
    snprintf(simulator_log, sizeof simulator_log, "%s/simulator.log", folder);
    atexit(clean_up);
    simulated_ms = shared_clock();
    start_chip(NULL);
    snprintf(program, sizeof program, "%s/bridge-in-simavr", build);
    snprintf(elf, sizeof elf, "%s/bridge.elf", build);
    simulator = start((char *[]) { program, "--elf", elf, "--pty", pty, "--i2c", sock, "--clock", clock_file, NULL },
                      STDERR_FILENO, simulator_log);
    open_line(B115200);
    CHECK(enumerations() == 1);
}

int main(int count, char **arguments)
{
    CHECK(count == 2);
    prepare(arguments[1]);
    RUN(wake_up_and_command_in_one_write_are_answered);
    RUN(a_command_byte_by_byte_is_answered);
    RUN(frames_of_all_lengths_come_back);
    RUN(garbage_before_a_command_is_dropped);
    RUN(a_torn_frame_does_not_swallow_the_next_for_ever);
    RUN(an_ack_from_the_host_aborts);
    RUN(a_new_command_replaces_one_that_waits);
    RUN(a_nack_from_the_host_repeats_the_answer);
    RUN(closing_the_line_aborts);
    RUN(how_long_a_command_takes);
    RUN(a_missing_chip_is_an_error_and_may_come_back);
    RUN(a_chip_lost_while_it_works_is_an_error);
    RUN(a_chip_that_is_never_ready_is_an_error);
    RUN(a_chip_that_sends_garbage_is_an_error);
    RUN(a_damaged_answer_is_asked_for_again);
    RUN(a_sleeping_chip_is_tried_again);
    RUN(a_stuck_data_line_is_freed);
    RUN(a_stalled_bus_unit_is_restarted);
    RUN(a_program_that_is_killed_leaves_a_working_bridge);
    RUN(closing_at_1200_baud_restarts_the_board);
    RUN(a_flood_of_noise_leaves_the_bridge_alive);
    return 0;
}
