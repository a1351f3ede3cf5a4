// The main program of every native unit test: runs the registered tests and reports.
// Exit status: 0 all passed, 1 some failed, 2 bad usage or no test matched the filter.
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "base/test.h"

namespace pgdata::test {
namespace {

struct Test {
  const char* name;
  TestFunction function;
};

// A function's static, because tests register during static initialisation in no set order.
std::vector<Test>& tests() {
  static std::vector<Test> list;
  return list;
}

uint64_t run_seed = 0;
const char* running_name = "";
bool running_failed = false;

bool parse_seed(const char* text, uint64_t* out) {
  char* end = nullptr;
  errno = 0;
  const unsigned long long value = std::strtoull(text, &end, 10);
  if (errno != 0 || end == text || *end != '\0') return false;
  *out = static_cast<uint64_t>(value);
  return true;
}

// FNV-1a, so that a test's numbers depend on its name and not on its place in the list.
uint64_t name_hash(std::string_view name) {
  uint64_t hash = 14695981039346656037ULL;
  for (char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
  return hash;
}

int usage(const char* program) {
  std::fprintf(stderr, "usage: %s [--filter=TEXT] [--seed=N] [--list]\n", program);
  return 2;
}

int run_all(std::string_view filter, bool list_only) {
  size_t run = 0;
  std::vector<const char*> failed;
  for (const Test& test : tests()) {
    if (std::string_view(test.name).find(filter) == std::string_view::npos) continue;
    ++run;
    if (list_only) {
      std::printf("%s\n", test.name);
      continue;
    }
    running_name = test.name;
    running_failed = false;
    const auto start = std::chrono::steady_clock::now();
    test.function();
    const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - start;
    std::printf("%s %s (%.1f ms)\n", running_failed ? "FAILED" : "ok    ", test.name, took.count());
    std::fflush(stdout);
    if (running_failed) failed.push_back(test.name);
  }
  if (run == 0) {
    std::fprintf(stderr, "no test matches \"%.*s\"\n", static_cast<int>(filter.size()),
                 filter.data());
    return 2;
  }
  if (list_only) return 0;
  std::printf("%zu of %zu tests passed, seed %llu\n", run - failed.size(), run,
              static_cast<unsigned long long>(run_seed));
  for (const char* name : failed) std::printf("  failed: %s\n", name);
  return failed.empty() ? 0 : 1;
}

}  // namespace

bool add_test(const char* name, TestFunction function) {
  tests().push_back({name, function});
  return true;
}

void report_failure(const char* file, int line, const std::string& message) {
  running_failed = true;
  std::printf("  %s:%d: in %s: %s\n", file, line, running_name, message.c_str());
  std::fflush(stdout);
}

uint64_t seed() { return run_seed; }

std::mt19937_64 random_engine() { return std::mt19937_64(run_seed ^ name_hash(running_name)); }

}  // namespace pgdata::test

int main(int argc, char** argv) {
  using namespace pgdata::test;
  std::string_view filter;
  bool list_only = false;
  run_seed = static_cast<uint64_t>(std::chrono::system_clock::now().time_since_epoch().count());
  if (const char* text = std::getenv("PGDATA_SEED"); text != nullptr && *text != '\0') {
    if (!parse_seed(text, &run_seed)) return usage(argv[0]);
  }
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (argument.starts_with("--filter=")) {
      filter = argument.substr(9);
    } else if (argument == "--filter" && i + 1 < argc) {
      filter = argv[++i];
    } else if (argument.starts_with("--seed=")) {
      if (!parse_seed(argv[i] + 7, &run_seed)) return usage(argv[0]);
    } else if (argument == "--list") {
      list_only = true;
    } else {
      return usage(argv[0]);
    }
  }
  if (!list_only) std::printf("seed %llu\n", static_cast<unsigned long long>(run_seed));
  return run_all(filter, list_only);
}
