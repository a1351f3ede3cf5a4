// Question: what does touching a page of the buffer pool cost?
//
// Predicted: a hit with pin and unpin 25 ns in one thread when descriptors are in cache and 60 ns
// when they are not; a content lock adds 12 ns; two threads on different pages lose nothing, on
// the same page they share one cache line and take three times as long each. A miss from the
// operating system's cache costs a read of 8 kB, its checksum and an eviction, 3 us, of which a scan
// that reads 16 at once saves a third; with a dirty victim, a write and another checksum more, 7 us.
#include <algorithm>
#include <cstdio>
#include <ctime>
#include <thread>
#include <vector>

#include "buffer/pool_fixture.h"

namespace pgdata {
namespace {

using test::PoolFixture;
using test::test_relation;

uint32_t next_random(uint64_t* state) {
  *state = *state * 6364136223846793005u + 1442695040888963407u;
  return static_cast<uint32_t>(*state >> 33);
}

// Where nothing is waited for, processor time tells the cost also on a busy machine.
enum class Clock : uint8_t { wall, processor };

double now_ns(Clock clock) {
  timespec time{};
  clock_gettime(clock == Clock::wall ? CLOCK_MONOTONIC : CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) * 1e9 + static_cast<double>(time.tv_nsec);
}

// Nanoseconds an operation of `operations`, median of five runs.
template <typename Function>
double measure(uint64_t operations, Clock clock, Function function) {
  std::vector<double> runs;
  for (int i = 0; i < 5; ++i) {
    const double start = now_ns(clock);
    function(operations);
    runs.push_back((now_ns(clock) - start) / static_cast<double>(operations));
  }
  std::sort(runs.begin(), runs.end());
  return runs[2];
}

void print(const char* what, double nanoseconds) {
  std::printf("%-58s %10.1f ns\n", what, nanoseconds);
}

void touch(PoolFixture& fixture, uint64_t operations, uint32_t blocks, uint64_t seed, bool lock) {
  BufferRef buffer;
  for (uint64_t i = 0; i < operations; ++i) {
    buffer.release();
    PoolFixture::require(fixture.read(next_random(&seed) % blocks, &buffer));
    if (lock) buffer.lock(LockMode::shared);
  }
}

template <typename Function>
double measure_two_threads(uint64_t operations, Function function) {
  return measure(operations, Clock::processor,
                 [&](uint64_t each) {
                   std::thread other([&] { function(each, 1); });
                   function(each, 2);
                   other.join();
                 }) /
         2;
}

void run() {
  constexpr uint32_t pool_pages = 16384;
  constexpr uint64_t hits = 5'000'000;
  PoolFixture fixture(pool_pages);
  PoolFixture::require(fixture.add_pages(pool_pages));

  print("hit, 64 pages",
        measure(hits, Clock::processor, [&](uint64_t n) { touch(fixture, n, 64, 1, false); }));
  print("hit, 64 pages, shared content lock",
        measure(hits, Clock::processor, [&](uint64_t n) { touch(fixture, n, 64, 1, true); }));
  print("hit, 16384 pages at random", measure(hits, Clock::processor, [&](uint64_t n) {
          touch(fixture, n, pool_pages, 1, false);
        }));
  print("hit of the page already pinned", measure(hits, Clock::processor, [&](uint64_t n) {
          BufferRef buffer;
          for (uint64_t i = 0; i < n; ++i) PoolFixture::require(fixture.read(7, &buffer));
        }));
  print("clone and release of a pin", measure(hits, Clock::processor, [&](uint64_t n) {
          BufferRef buffer;
          PoolFixture::require(fixture.read(7, &buffer));
          for (uint64_t i = 0; i < n; ++i) buffer.clone().release();
        }));
  print("two threads, 16384 pages at random, each",
        measure_two_threads(
            hits, [&](uint64_t n, uint64_t seed) { touch(fixture, n, pool_pages, seed, false); }));
  print("two threads, one page, each", measure_two_threads(hits, [&](uint64_t n, uint64_t seed) {
          touch(fixture, n, 1, seed, false);
        }));

  PoolFixture small(128);
  constexpr uint32_t pages = 8192;
  PoolFixture::require(small.add_pages(pages));
  PoolFixture::require(small.pool->write_all_dirty());
  constexpr uint64_t misses = 40'000;
  print("miss, clean victim", measure(misses, Clock::wall, [&](uint64_t n) {
          uint64_t seed = 3;
          BufferRef buffer;
          for (uint64_t i = 0; i < n; ++i)
            PoolFixture::require(small.read(next_random(&seed) % pages, &buffer));
        }));
  PoolFixture scanned(1024);
  PoolFixture::require(scanned.add_pages(pages));
  PoolFixture::require(scanned.pool->write_all_dirty());
  print("miss, in the sequence of a bulk read", measure(pages, Clock::wall, [&](uint64_t n) {
          BufferStrategy strategy(*scanned.pool, StrategyKind::bulk_read);
          BufferRef buffer;
          for (uint32_t i = 0; i < n; ++i)
            PoolFixture::require(scanned.read(i, &buffer, ReadMode::normal, &strategy));
        }));
  print("miss, dirty victim", measure(misses, Clock::wall, [&](uint64_t n) {
          uint64_t seed = 3;
          BufferRef buffer;
          for (uint64_t i = 0; i < n; ++i) {
            PoolFixture::require(small.read(next_random(&seed) % pages, &buffer));
            buffer.lock(LockMode::exclusive);
            small.pool->mark_dirty(buffer);
          }
        }));
  print("extend by one block", measure(20'000, Clock::wall, [&](uint64_t n) {
          BufferRef buffer;
          BlockNumber first{};
          for (uint64_t i = 0; i < n; ++i) {
            PoolFixture::require(
                small.pool->extend(test_relation, ForkNumber::main, 1, nullptr, &buffer, &first));
          }
        }));
  print("extend by 64 blocks, a block", measure(64 * 300, Clock::wall, [&](uint64_t n) {
          BufferRef buffer;
          BlockNumber first{};
          for (uint64_t i = 0; i < n; i += 64) {
            PoolFixture::require(
                small.pool->extend(test_relation, ForkNumber::main, 64, nullptr, &buffer, &first));
          }
        }));
  print("checkpoint of 16384 dirty pages, a page",
        measure(pool_pages, Clock::wall, [&](uint64_t n) {
          for (uint32_t i = 0; i < n; ++i) {
            BufferRef buffer;
            PoolFixture::require(fixture.read(i, &buffer));
            buffer.lock(LockMode::exclusive);
            fixture.pool->mark_dirty(buffer);
          }
          PoolFixture::require(fixture.pool->write_all_dirty());
        }));
}

}  // namespace
}  // namespace pgdata

int main() {
  pgdata::run();
  return 0;
}
