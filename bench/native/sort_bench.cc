// Question: what does it cost to sort, a tuple, in memory and with a tenth of it?
//
// Predicted for a million tuples of 16 bytes with random keys of 8 bytes: in memory 60 ns, of which two thirds are eight
// radix passes and the rest copying in and out; std::sort of the entries alone would take 80. Keys that only differ in three
// bytes: 35 ns. In order already: 15. With a tenth of the memory: 150 ns in two passes over 29 MB of files in the system's
// cache, which is within three times. The first 100: 10 ns, as nearly all are compared once and forgotten. Order told by
// the owner alone (keys all the same): 200.
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <string>
#include <vector>

#include "sort/tuple_sort.h"

namespace pgdata {
namespace {

constexpr uint32_t tuples = 1000000;
constexpr uint64_t enough = 256ull << 20;

double now_ns() {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<double>(time.tv_sec) * 1e9 + static_cast<double>(time.tv_nsec);
}

void must(const Status& status) {
  if (status.is_ok()) return;
  std::fprintf(stderr, "%s\n", status.report().message.c_str());
  std::abort();
}

uint64_t scattered(uint64_t number) {
  number = (number ^ number >> 30) * 0xBF58476D1CE4E5B9u;
  return number ^ number >> 27;
}

class SecondWord final : public TupleOrder {
 public:
  int compare(TupleView left, TupleView right) override {
    uint64_t a = 0;
    uint64_t b = 0;
    std::memcpy(&a, left.bytes + 8, 8);
    std::memcpy(&b, right.bytes + 8, 8);
    return a < b ? -1 : a > b ? 1 : 0;
  }
};

void measure(TemporarySpace& space, const char* what, const SortOptions& options,
             uint64_t (*key_of)(uint64_t)) {
  double best = 0;
  SortReport report;
  for (int round = 0; round < 5; ++round) {
    const double start = now_ns();
    SecondWord order;
    TupleSort sort(space, &order, options);
    for (uint64_t i = 0; i < tuples; ++i) {
      const uint64_t tuple[2] = {i, scattered(i)};
      must(sort.add({key_of(i)}, tuple, sizeof(tuple)));
    }
    for (bool done = false; !done;) must(sort.sort(10000, &done));
    uint64_t read = 0;
    for (bool found = true; found; ++read) {
      SortedTuple sorted;
      must(sort.next(&sorted, &found));
    }
    const double each = (now_ns() - start) / tuples;
    if (round == 0 || each < best) best = each;
    report = sort.report();
  }
  std::printf("%-36s %7.1f ns  %s, %s %llu kB, %u runs\n", what, best, name_of(report.method),
              report.is_on_disk ? "disk" : "memory",
              static_cast<unsigned long long>(report.space_kb), report.runs);
}

void bench() {
  std::string directory = (std::filesystem::temp_directory_path() / "pgdata_sort_XXXXXX").string();
  directory = mkdtemp(directory.data());
  std::filesystem::create_directories(directory + "/base");
  StorageOptions storage_options;
  storage_options.data_directory = directory;
  Storage storage(posix_file_system(), storage_options);
  ClusterState state;
  TemporarySpace space(storage, state, nullptr, nullptr);
  const auto random = [](uint64_t i) { return scattered(i); };
  const auto narrow = [](uint64_t i) { return scattered(i) % tuples; };
  const auto ascending = [](uint64_t i) { return i; };
  const auto same = [](uint64_t) { return uint64_t{1}; };
  measure(space, "random keys", {.memory_bytes = enough}, random);
  measure(space, "keys of three bytes", {.memory_bytes = enough}, narrow);
  measure(space, "in order already", {.memory_bytes = enough}, ascending);
  measure(space, "by the owner's order", {.memory_bytes = enough}, same);
  measure(space, "the first 100", {.memory_bytes = enough, .tuples_wanted = 100}, random);
  measure(space, "random keys, a tenth of the memory", {.memory_bytes = 5 << 20}, random);
  measure(space, "random keys, 64 kB", {.memory_bytes = 64 << 10}, random);
  std::filesystem::remove_all(directory);
}

}  // namespace
}  // namespace pgdata

int main() { pgdata::bench(); }
