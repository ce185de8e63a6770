/* fake-chip SOCKET [behaviour]
 *
 * The other end of bridge-in-simavr's socket (simulation/wire.h): as little of a PN532 as the tests of the bridge need. Writes
 * every frame it is sent to standard output, in hexadecimal. Behaviours:
 *
 *   absent        no acknowledge, ever
 *   never-ready   takes frames, has nothing to say
 *   garbage       ready at once, but what follows is no frame
 *   bad-once      each answer is damaged the first time, and right after a NACK
 *   sleepy        does not acknowledge the first five transactions
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { DATA_MAX = 300, FRAME_MAX = 320 };

struct frame { uint8_t bytes[FRAME_MAX]; size_t size; };

static const struct frame ack = { { 0x00, 0x00, 0xFF, 0x00, 0xFF, 0x00 }, 6 };
static const struct frame nack = { { 0x00, 0x00, 0xFF, 0xFF, 0x00, 0x00 }, 6 };
static const struct frame syntax_error = { { 0x00, 0x00, 0xFF, 0x01, 0xFF, 0x7F, 0x81, 0x00 }, 8 };

static const char *behaviour = "";
static struct frame answer;         /* the last one, for a NACK */
static bool ack_due, answer_due;
static int sleeping;

static bool is(const char *name)
{
    return strcmp(behaviour, name) == 0;
}

static struct frame framed(const uint8_t *data, size_t size)
{
    struct frame frame = { { 0x00, 0x00, 0xFF }, 3 };
    uint8_t check = 0;
    if (size > 255) {
        uint8_t high = (uint8_t)(size >> 8), low = (uint8_t)size;
        const uint8_t head[5] = { 0xFF, 0xFF, high, low, (uint8_t)-(high + low) };
        memcpy(frame.bytes + 3, head, sizeof head);
        frame.size += sizeof head;
    } else {
        frame.bytes[frame.size++] = (uint8_t)size;
        frame.bytes[frame.size++] = (uint8_t)-size;
    }
    for (size_t i = 0; i < size; i++)
        check = (uint8_t)(check + (frame.bytes[frame.size++] = data[i]));
    frame.bytes[frame.size++] = (uint8_t)-check;
    frame.bytes[frame.size++] = 0x00;
    return frame;
}

/* The answer to a command without its TFI; false for a command that does not end by itself. */
static bool carry_out(const uint8_t *command, size_t size)
{
    uint8_t data[DATA_MAX] = { 0xD5, (uint8_t)(command[0] + 1) };
    size_t n = 2;
    switch (command[0]) {
    case 0x00:                                          /* Diagnose, test 0: the same again */
        memcpy(data + n, command + 1, size - 1);
        n += size - 1;
        break;
    case 0x02:                                          /* GetFirmwareVersion */
        memcpy(data + n, (const uint8_t[]) { 0x32, 0x01, 0x06, 0x07 }, 4);
        n += 4;
        break;
    case 0x06:                                          /* ReadRegister: two bytes of address each */
        n += (size - 1) / 2;
        break;
    case 0x16: case 0x4A: case 0x52: case 0x44:         /* PowerDown, InListPassiveTarget, InRelease, InDeselect: status 0 */
        n += 1;
        break;
    case 0x08: case 0x12: case 0x14: case 0x32:         /* WriteRegister, SetParameters, SAMConfiguration, RFConfiguration */
        break;
    case 0x8C:                                          /* TgInitAsTarget: until somebody comes */
        return false;
    default:
        answer = syntax_error;
        return true;
    }
    answer = framed(data, n);
    return true;
}

/* The data of a right information frame; false if it is none. */
static bool unframe(const uint8_t *bytes, size_t size, const uint8_t **data, size_t *count)
{
    size_t head = size > 7 && bytes[3] == 0xFF && bytes[4] == 0xFF ? 8 : 5;
    if (size < head + 4 || memcmp(bytes, "\0\0\xFF", 3) != 0)
        return false;
    *count = head == 8 ? (size_t)(bytes[5] << 8 | bytes[6]) : bytes[3];
    *data = bytes + head;
    if (size != head + *count + 2)
        return false;
    uint8_t check = 0;
    for (size_t i = 0; i <= *count; i++)
        check = (uint8_t)(check + (*data)[i]);
    return check == 0 && (*data)[0] == 0xD4 && *count >= 2;
}

static void take(const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        printf("%02X%c", bytes[i], i + 1 < size ? ' ' : '\n');
    fflush(stdout);
    const uint8_t *data;
    size_t count;
    if (size == ack.size && memcmp(bytes, ack.bytes, size) == 0) {
        ack_due = answer_due = false;
    } else if (size == nack.size && memcmp(bytes, nack.bytes, size) == 0) {
        answer_due = true;
        if (is("bad-once"))
            answer.bytes[answer.size - 2] ^= 0x01;
    } else if (unframe(bytes, size, &data, &count)) {
        ack_due = true;
        answer_due = carry_out(data + 1, count - 1);
        if (is("bad-once"))
            answer.bytes[answer.size - 2] ^= 0x01;
    }
    if (is("never-ready"))
        ack_due = answer_due = false;
}

/* `count` bytes as the master reads them. One byte is only the ready byte. */
static void give(uint8_t *bytes, size_t count)
{
    memset(bytes, 0, count);
    if (is("garbage")) {
        memset(bytes, 0x5B, count);
        return;
    }
    const struct frame *frame = ack_due ? &ack : answer_due ? &answer : NULL;
    if (!frame)
        return;
    bytes[0] = 0x01;
    if (count == 1)
        return;
    memcpy(bytes + 1, frame->bytes, frame->size < count - 1 ? frame->size : count - 1);
    *(ack_due ? &ack_due : &answer_due) = false;
}

static bool receive(int client, void *bytes, size_t count)
{
    return count == 0 || recv(client, bytes, count, MSG_WAITALL) == (ssize_t)count;
}

static bool serve_one(int client)
{
    uint8_t request[3], bytes[1 + 0x10000];
    if (!receive(client, request, sizeof request))
        return false;
    size_t n = (size_t)(request[1] << 8 | request[2]);
    if (request[0] == 'W' && !receive(client, bytes + 1, n))
        return false;
    bool absent = is("absent") || (is("sleepy") && sleeping-- > 0);
    bytes[0] = absent;
    size_t size = 1;
    if (!absent && request[0] == 'W')
        take(bytes + 1, n);
    if (!absent && request[0] == 'R') {
        give(bytes + 1, n);
        size += n;
    }
    return send(client, bytes, size, MSG_NOSIGNAL) == (ssize_t)size;
}

int main(int count, char **arguments)
{
    if (count < 2 || count > 3) {
        fprintf(stderr, "usage: fake-chip SOCKET [absent|never-ready|garbage|bad-once|sleepy]\n");
        return 2;
    }
    behaviour = count > 2 ? arguments[2] : "";
    sleeping = 5;
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    snprintf(address.sun_path, sizeof address.sun_path, "%s", arguments[1]);
    unlink(address.sun_path);
    int server = socket(AF_UNIX, SOCK_STREAM, 0);
    if (bind(server, (struct sockaddr *)&address, sizeof address) != 0 || listen(server, 1) != 0) {
        perror(arguments[1]);
        return 1;
    }
    for (;;) {
        int client = accept(server, NULL, NULL);
        while (serve_one(client))
            ;
        close(client);
    }
}
