// boost_spsc: boost::lockfree::spsc_queue between two processes, in shared
// memory, both sides spinning. What a C++ programmer would reach for first.
//
//   g++ -O3 -std=c++17 scripts/peers/boost_spsc.cpp -o boost_spsc
//   ./boost_spsc [MESSAGES [PRODUCER_CPU CONSUMER_CPU]]
//
// Each message is 8 bytes, written and read in full, pushed and popped one at
// a time; the sum is checked. It prints millions of messages a second.
#include <boost/lockfree/spsc_queue.hpp>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <sched.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

using Queue = boost::lockfree::spsc_queue<std::uint64_t, boost::lockfree::capacity<65536>>;

static void pin(int cpu) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    sched_setaffinity(0, sizeof set, &set);
}

int main(int argc, char **argv) {
    const std::uint64_t n = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 100'000'000;
    const int producer_cpu = argc > 3 ? std::atoi(argv[2]) : 0;
    const int consumer_cpu = argc > 3 ? std::atoi(argv[3]) : 1;

    void *mem = mmap(nullptr, sizeof(Queue), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (mem == MAP_FAILED) {
        std::perror("mmap");
        return 1;
    }
    auto *queue = new (mem) Queue;

    const pid_t child = fork();
    if (child < 0) {
        std::perror("fork");
        return 1;
    }
    if (child == 0) {
        pin(consumer_cpu);
        std::uint64_t sum = 0, value;
        for (std::uint64_t i = 0; i < n; i++) {
            while (!queue->pop(value)) {
            }
            sum += value;
        }
        _exit(sum == n * (n - 1) / 2 ? 0 : 1);
    }
    pin(producer_cpu);
    const auto began = std::chrono::steady_clock::now();
    for (std::uint64_t i = 0; i < n; i++) {
        while (!queue->push(i)) {
        }
    }
    int status = 0;
    waitpid(child, &status, 0);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
    if (status != 0) {
        std::fprintf(stderr, "boost_spsc: the consumer's sum is wrong\n");
        return 1;
    }
    std::printf("%.1f\n", n / took.count() / 1e6);
    return 0;
}
