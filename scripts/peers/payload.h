/* payload.h: the content of a message. BYTES is a multiple of 8, and every 8-byte word
 * is the number of the message. B adds up all words of all messages, which shows that
 * it has read all of them.
 */
#ifndef PAYLOAD_H
#define PAYLOAD_H
#include <stdint.h>
#include <string.h>

static inline void fill(char *p, size_t bytes, uint64_t number) {
    for (size_t i = 0; i < bytes; i += 8)
        memcpy(p + i, &number, 8);
}

static inline uint64_t words(const char *p, size_t bytes) {
    uint64_t sum = 0, word;
    for (size_t i = 0; i < bytes; i += 8) {
        memcpy(&word, p + i, 8);
        sum += word;
    }
    return sum;
}

/* sum_of_all returns the sum of the words of all messages, modulo 2^64. */
static inline uint64_t sum_of_all(size_t bytes, uint64_t messages) {
    return bytes / 8 * (messages * (messages - 1) / 2);
}
#endif
