// boost_spsc: boost::lockfree::spsc_queue between two processes, in shared memory, with
// both sides spinning.
//
//   g++ -O3 -std=c++17 scripts/peers/boost_spsc.cpp -o boost_spsc
//   ./boost_spsc throughput 8|64|1024 MESSAGES CPU_A CPU_B
//   ./boost_spsc roundtrip 8|64|1024 MESSAGES CPU_A CPU_B spin
//
// Elements have a size known at compile time, so only small ones are measured. There is
// no way to sleep. Elements are pushed and popped one at a time; the queue has about as
// many as fit into a ring of 1 MiB.
#include "peer.h"
#include <boost/lockfree/spsc_queue.hpp>
#include <new>

template <std::size_t Bytes> struct Message {
    alignas(8) char data[Bytes];
};

template <std::size_t Bytes>
using Queue = boost::lockfree::spsc_queue<Message<Bytes>, boost::lockfree::capacity<(1 << 20) / (Bytes == 8 ? 16 : Bytes)>>;

template <std::size_t Bytes> static void send(Queue<Bytes> &queue, std::uint64_t number) {
    Message<Bytes> message;
    fill(message.data, Bytes, number);
    while (!queue.push(message)) {
    }
}

template <std::size_t Bytes> static std::uint64_t receive(Queue<Bytes> &queue) {
    Message<Bytes> message;
    while (!queue.pop(message)) {
    }
    return words(message.data, Bytes);
}

template <std::size_t Bytes> static void run() {
    auto *there = new (shared_memory(sizeof(Queue<Bytes>))) Queue<Bytes>;
    auto *back = new (shared_memory(sizeof(Queue<Bytes>))) Queue<Bytes>;
    const std::uint64_t n = peer.messages;
    if (fork_b()) {
        meet(1);
        std::uint64_t sum = 0;
        for (std::uint64_t i = 0; i < n; i++) {
            sum += receive<Bytes>(*there);
            if (peer.roundtrip) send<Bytes>(*back, i);
        }
        end_b(sum);
    }
    meet(1);
    for (std::uint64_t i = 0; i < n; i++) {
        send<Bytes>(*there, i);
        if (peer.roundtrip && receive<Bytes>(*back) != Bytes / 8 * i) {
            std::fprintf(stderr, "an echo is not what was sent\n");
            std::exit(1);
        }
    }
    end_a();
}

int main(int argc, char **argv) {
    parse(argc, argv);
    if ((peer.roundtrip && !peer.spin) || peer.period) unsupported();
    switch (peer.bytes) {
    case 8: run<8>(); break;
    case 64: run<64>(); break;
    case 1024: run<1024>(); break;
    default: unsupported();
    }
    return 0;
}
