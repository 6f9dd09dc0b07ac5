// boost_queue: boost::interprocess::message_queue, a bounded queue with
// priorities in shared memory, protected by one mutex. Blocks as a ring does.
//
//   g++ -O3 -std=c++17 scripts/peers/boost_queue.cpp -o boost_queue
//   ./boost_queue throughput|roundtrip BYTES MESSAGES CPU_A CPU_B [spin]
//
// 1 MiB of messages, at least 4 and at most 1024. The name, which begins with
// $PEER_NAME, is removed before the first message.
#include "loops.h"
#include <algorithm>
#include <boost/interprocess/ipc/message_queue.hpp>
#include <string>

using boost::interprocess::message_queue;

static message_queue *queues[2];
static char *buffer;

static void prepare() {
    buffer = static_cast<char *>(std::malloc(peer.bytes));
    const std::size_t most = std::clamp<std::size_t>((1 << 20) / peer.bytes, 4, 1024);
    const char *name = std::getenv("PEER_NAME");
    for (int way = 0; way < 2; way++) {
        const std::string full = std::string(name ? name : "peer") + ".queue" + std::to_string(way);
        message_queue::remove(full.c_str());
        queues[way] = new message_queue(boost::interprocess::create_only, full.c_str(), most, peer.bytes);
        message_queue::remove(full.c_str()); // both processes have it mapped
    }
}

static void attach(int) {}
static char *room(int) { return buffer; }
static void let_go(int) {}

static void give(int way) {
    if (!peer.spin)
        queues[way]->send(buffer, peer.bytes, 0);
    else
        while (!queues[way]->try_send(buffer, peer.bytes, 0)) {
        }
}

static char *take(int way) {
    message_queue::size_type bytes = 0;
    unsigned priority;
    if (!peer.spin)
        queues[way]->receive(buffer, peer.bytes, bytes, priority);
    else
        while (!queues[way]->try_receive(buffer, peer.bytes, bytes, priority)) {
        }
    if (bytes != peer.bytes) {
        std::fprintf(stderr, "a message has %zu bytes\n", static_cast<std::size_t>(bytes));
        std::exit(1);
    }
    return buffer;
}
