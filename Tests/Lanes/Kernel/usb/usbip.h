// The device's side of USB/IP (kernel document Documentation/usb/usbip_protocol.rst): a device made of bytes is plugged
// into vhci_hcd, the kernel's host controller whose other end is a socket. What its requests mean is the device's affair.
#ifndef SRUP_USBIP_H
#define SRUP_USBIP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { most_transfer_bytes = 65536 };

/// A plugged cable; `line` is our end, -1 when unplugged.
struct cable {
    int line;
    unsigned port; // of the virtual hub, from 0: the socket that the device is in
};

/// One request of the host.
struct request {
    uint32_t sequence;
    bool is_unlink;  // take `victim` back
    uint32_t victim;
    uint32_t endpoint; // 0: control
    bool to_host;
    uint32_t length;   // bytes asked for, or in `data`
    uint8_t setup[8];
    uint8_t *data;     // lent until the next request
};

/// Returns when the host has taken the device; ends the process when it does not.
void cable_plug(struct cable *);
void cable_unplug(struct cable *);
/// The next request; false when the host let go of the device.
bool cable_next(struct cable *, struct request *);
/// Status 0 or a negative error number; `length` bytes have come or go.
void cable_answer(struct cable *, const struct request *, int status, const void *bytes, size_t length);
/// -ECONNRESET when the victim was still waiting, 0 when it had been answered.
void cable_unlinked(struct cable *, const struct request *, int status);

/// Requests that wait for the device, the oldest first.
struct waiting {
    struct request requests[64];
    unsigned count;
};
void waiting_add(struct waiting *, const struct request *);
/// The oldest one, or false.
bool waiting_take(struct waiting *, struct request *);
/// Handles an unlink: takes the victim out if it is there; the status for ``cable_unlinked``.
int waiting_drop(struct waiting *, uint32_t victim);

/// A line on standard output, at once.
__attribute__((format(printf, 1, 2))) void say(const char *format, ...);
/// Nanoseconds of the monotonic clock.
int64_t now(void);
/// Opens (and makes) the FIFO that commands come by.
int command_fifo(const char *path);
/// Reads what has come and calls `obey` for each whole line.
void read_commands(int fifo, void (*obey)(void *context, char *line), void *context);

#endif
